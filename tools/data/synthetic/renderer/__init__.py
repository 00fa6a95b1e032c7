"""Renderer of synthetic hand gestures with the classes and layout of Jester.

Drawings, not recordings: a stand-in for trying things out, never evidence about real
hands. Picture arrays are in OpenCV's channel order throughout.
"""
