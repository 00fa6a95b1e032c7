"""Tables of classes that outlived a change of classes, seen through the runner."""

from __future__ import annotations

import pytest
from mmaction.registry import TRANSFORMS

from lcr_mmaction.hooks import LabelRangeError, LabelTableError
from lcr_mmaction.hooks.flip_maps import flip_fault, mirrored_name, safe_flip

JESTER = {0: 1, 1: 0, 6: 7, 7: 6, 14: 15, 15: 14}


def add_flip(config, **settings):
    steps = config.train_dataloader.dataset.pipeline
    kinds = [step.type for step in steps]
    flip = dict(type="Flip", flip_ratio=0.5) | settings
    steps.insert(kinds.index("EdgeExtract"), flip)


def name_classes(config, train, val=None):
    for loader, names in (
        (config.train_dataloader, train),
        (config.val_dataloader, val),
    ):
        if names is not None:
            loader.dataset.metainfo = dict(classes=names)


def refused(project, config, match, error=LabelTableError):
    runner = project.runner(config)
    with pytest.raises(error, match=match):
        runner.train()
    assert runner.iter == 0


def test_the_stock_flip_map_of_other_classes(frame_project):
    config = frame_project.config(num_classes=7)
    add_flip(config, flip_label_map=JESTER)
    match = "training pipeline, flip_label_map of Flip: class 7 is none of the model's"
    refused(frame_project, config, match)
    # All in range, but it would train nods as waves in half of the samples.
    config = frame_project.config()
    add_flip(config, flip_label_map={0: 1, 1: 0})
    name_classes(config, ["nod", "wave", "stop"])
    match = r"class 0 \('nod'\) would count as class 1 \('wave'\).*other classes"
    refused(frame_project, config, match)


def test_a_flip_that_forgets_the_sides(frame_project):
    config = frame_project.config()
    add_flip(config)
    name_classes(config, ["Swipe_Left", "stop", "Swipe_Right"])
    match = r"class 0 \('Swipe_Left'\).*show 'Swipe_Right'.*map=\{0: 2, 2: 0\}"
    refused(frame_project, config, match)


def test_flips_inside_wrapped_datasets_and_transforms_are_found(frame_project):
    config = frame_project.config()
    steps = config.train_dataloader.dataset.pipeline
    inner = dict(type="Flip", flip_label_map={0: 9, 9: 0})
    steps.insert(-3, dict(type="RandomApply", transforms=[inner], prob=0.5))
    plain = config.train_dataloader.dataset
    wrapped = dict(type="ConcatDataset", datasets=[plain])
    config.train_dataloader.dataset = wrapped
    refused(frame_project, config, "flip_label_map of Flip: class 9")


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"0": 1, "1": 0}, "'0' is no class number, but str"),
        ({0: 1}, "class 0 becomes 1, but 1 becomes 1"),
        ({0: 1, 1: 2, 2: 0}, "class 0 becomes 1, but 1 becomes 2"),
        ({-1: 0, 0: -1}, "class -1 is none of the model's, 0 to 2"),
    ],
)
@pytest.mark.parametrize("kind", ["Flip", "FrameTargets"])
def test_maps_that_are_no_mirror(table, fault, kind):
    settings = dict(background=2) if kind == "FrameTargets" else {}
    step = TRANSFORMS.build(dict(type=kind, flip_label_map=table, **settings))
    assert fault in flip_fault([step], 3, None)
    assert kind in flip_fault([step], 3, None)


def test_mirrored_names():
    assert mirrored_name("turning hand clockwise") == "turning hand counterclockwise"
    assert mirrored_name("anti-clockwise arc") == "clockwise arc"
    assert mirrored_name("pull from left to right") == "pull from right to left"
    assert mirrored_name("thumb up") == "thumb up"
    assert mirrored_name("thumb up", "vertical") == "thumb down"


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (["wave", "wave1", "upright", "bright light"], None),
        (["Swipe_Right", "stop", "Swipe_Left"], {0: 2, 2: 0}),
        (["flat/leftward", "flat/rightward", "nod"], {0: 1, 1: 0}),
        (["circle anti-clockwise", "circle clockwise"], {0: 1, 1: 0}),
    ],
)
def test_names_say_what_a_mirror_does(names, table):
    flip = safe_flip(names)
    assert flip["flip_ratio"] == 0.5 and flip.get("flip_label_map") == table
    assert flip_fault([TRANSFORMS.build(dict(type="Flip", **flip))], 4, names) is None


@pytest.mark.parametrize(
    "names", [["turn left", "wave"], ["anticlockwise", "wave"], ["a01", "a02"], ["7"]]
)
def test_nothing_is_mirrored_where_the_image_may_be_no_class(names):
    assert safe_flip(names) is None


def test_maps_that_are_right_pass(frame_project):
    config = frame_project.config()
    add_flip(config, flip_label_map={0: 1, 1: 0})
    name_classes(config, ["left", "right", "bright light"])
    frame_project.runner(config).train()


def test_names_that_are_not_english(frame_project):
    config = frame_project.config()
    add_flip(config, flip_label_map={0: 1, 1: 0})
    name_classes(config, ["links", "rechts", "halt"])
    refused(frame_project, config, "check_flip_names=False of DataGuardHook")
    config.custom_hooks[0].check_flip_names = False
    frame_project.runner(config).train()


def test_splits_and_metrics_must_name_the_same_classes(frame_project):
    config = frame_project.config()
    name_classes(config, ["a", "b", "c"], ["a", "c", "b"])
    refused(frame_project, config, "Class 1 is 'b' in the training data and 'c' in")
    config = frame_project.config()
    name_classes(config, ["a", "b"])
    refused(frame_project, config, "names 2 classes.*num_classes = 3")
    config = frame_project.config()
    config.val_evaluator = dict(type="ConfusionMatrix", num_classes=5)
    refused(frame_project, config, "ConfusionMatrix.*num_classes = 5, the model 3")
    config = frame_project.config()
    config.model.data_preprocessor.blending = dict(type="MixupBlending", num_classes=4)
    refused(frame_project, config, "MixupBlending.*num_classes = 4, the model 3")


def test_a_clip_with_another_label_in_the_other_list(frame_project):
    line = frame_project.lines("train")[1]
    frame_project.write_list("val", [line.rsplit(" ", 1)[0] + " 2"])
    match = "train1 has label 1 in the training list and 2 in the validation list"
    refused(frame_project, frame_project.config(), match)


def several(project):
    """Make a project of clips with several labels, set up right."""
    for split in ("train", "val"):
        lines = project.lines(split)
        project.write_list(split, [lines[0], f"{lines[1]} 2", *lines[2:]])
    config = project.config()
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset |= dict(multi_class=True, num_classes=3)
    config.model.cls_head |= dict(
        loss_cls=dict(type="BCELossWithLogits"), multi_class=True, average_clips="score"
    )
    config.val_evaluator.metric_list = ("mean_average_precision",)
    return config


def test_several_labels_train(frame_project):
    runner = frame_project.runner(several(frame_project))
    runner.train()
    hub = runner.message_hub
    assert 0 < hub.get_scalar("val/acc/mean_average_precision").current() <= 1


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (
            lambda c: c.val_evaluator.update(metric_list=("top_k_accuracy",)),
            "top_k_accuracy, which is for clips with one label",
        ),
        (
            lambda c: c.model.cls_head.update(loss_cls=dict(type="CrossEntropyLoss")),
            "train1 .*CrossEntropyLoss is for clips with one",
        ),
        (
            lambda c: c.model.cls_head.update(num_classes=4),
            "training dataset has num_classes = 3, the model 4",
        ),
        (
            lambda c: add_flip(c, flip_label_map={0: 1, 1: 0}),
            "labels of clips with several cannot be mapped",
        ),
    ],
    ids=["metric", "loss", "head", "flip"],
)
def test_several_labels_and_what_is_made_for_one(frame_project, spoil, match):
    config = several(frame_project)
    spoil(config)
    refused(frame_project, config, match)


def test_a_label_that_is_no_number(frame_project, monkeypatch):
    from lcr_mmaction.datasets import CheckedRawframeDataset

    def named(self):
        return [dict(frame_dir=str(self.data_prefix["img"]), total_frames=8, label="a")]

    monkeypatch.setattr(CheckedRawframeDataset, "load_data_list", named)
    monkeypatch.setattr(CheckedRawframeDataset, "_look_for_clips", lambda self: None)
    refused(frame_project, frame_project.config(), "has label 'a'", LabelRangeError)
