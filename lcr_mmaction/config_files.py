"""Reading config files, with errors that name them."""

from __future__ import annotations

from os import PathLike

from mmengine import Config


class ConfigFileError(ValueError):
    """A file that is no config, or that fails when it is run as one."""


def read_config(path: str | PathLike) -> Config:
    """Read a config as MMEngine does.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigFileError: It cannot be read, or a file that it inherits from.
    """
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is a program: it can fail in any way
        if isinstance(error, FileNotFoundError) and str(path) in str(error):
            raise
        raise ConfigFileError(
            f"{path} cannot be read as a config: {type(error).__name__}: {error}"
        ) from error
