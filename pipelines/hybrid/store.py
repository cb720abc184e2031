"""A trained hybrid on disk: npz and JSON, nothing that runs when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from data.errors import InputError
from pipelines.features import FeatureSettings, Normalisation
from pipelines.fst import Arcs
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.topology import Topology

MODEL, ACOUSTIC = "model.json", "acoustic.npz"
_STAGES = "stage-*.npz"
FORMAT = 1


def save_arrays(path: Path, **arrays: Any) -> None:
    """All or nothing: a file half written never has the name."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        np.savez(out, **arrays)
    part.replace(path)


def load_arrays(path: Path) -> Mapping[str, Any]:
    """Raises `InputError` for a file that is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InputError("not a model file of asrbench, or cut short: train it anew", path) from error


def save_json(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def load_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("no trained hybrid here: train it first", path) from error
    if content.get("format") != FORMAT:
        raise InputError(f"a hybrid of format {content.get('format')}, not {FORMAT}: train it anew", path)
    return content


def save_acoustic(
    folder: Path, model: AcousticModel, settings: FeatureSettings, normalisation: Normalisation
) -> None:
    save_arrays(
        folder / ACOUSTIC,
        **_model_arrays(model),
        features=np.array(json.dumps(settings.to_json())),
        mean=normalisation.mean,
        offset=normalisation.offset,
        scale=normalisation.scale,
    )


def load_acoustic(folder: Path) -> tuple[AcousticModel, FeatureSettings, Normalisation]:
    arrays = load_arrays(folder / ACOUSTIC)
    settings = FeatureSettings(**json.loads(str(arrays["features"])))
    return _model(arrays), settings, Normalisation(arrays["mean"], arrays["offset"], arrays["scale"])


def stage_file(name: str, member: int) -> str:
    """Of the acoustic model's part number `member`, trained on what is called `name`."""
    return _STAGES.replace("*", f"{name}-{member}")


def drop_stages(folder: Path) -> None:
    """Removes what an unfinished training would go on from."""
    for path in folder.glob(_STAGES):
        path.unlink()


def save_stage(path: Path, stage: Stage, key: str) -> None:
    """`key` names what is being trained, so that another training does not go on from here."""
    aligned = [s if s is not None else np.zeros(0, np.int32) for s in stage.alignments]
    save_arrays(
        path,
        **_model_arrays(stage.model),
        key=np.array(key),
        iteration=np.array(stage.iteration),
        log_likelihood=np.array(stage.log_likelihood),
        aligned=np.concatenate([*aligned, np.zeros(0, np.int32)]),
        frames=np.array([len(a) for a in aligned]),
    )


def load_stage(path: Path, key: str) -> Stage | None:
    """The stage that an interrupted training of the same `key` left; None where there is none to use."""
    if not path.exists():
        return None
    try:
        arrays = load_arrays(path)
    except InputError:
        return None
    if str(arrays["key"]) != key:
        return None
    parts = np.split(arrays["aligned"], np.cumsum(arrays["frames"])[:-1])
    alignments = tuple(part if len(part) else None for part in parts)
    return Stage(int(arrays["iteration"]), _model(arrays), alignments, float(arrays["log_likelihood"]))


def save_graph(path: Path, arcs: Arcs) -> None:
    save_arrays(path, **{name: getattr(arcs, name) for name in Arcs.__dataclass_fields__})


def load_graph(path: Path) -> Arcs:
    arrays = dict(load_arrays(path))
    start = int(arrays.pop("start"))
    return Arcs(**arrays, start=start)


def _model_arrays(model: AcousticModel) -> dict[str, Any]:
    mixtures, topology = model.mixtures, model.topology
    return {
        "weights": mixtures.weights,
        "means": mixtures.means,
        "variances": mixtures.variances,
        "first": mixtures.first,
        "self_loops": model.self_loops,
        "phones": np.array(topology.phones),
        "lengths": np.array(topology.lengths),
    }


def _model(arrays: Mapping[str, Any]) -> AcousticModel:
    topology = Topology(tuple(map(str, arrays["phones"])), tuple(map(int, arrays["lengths"])))
    mixtures = Mixtures(arrays["weights"], arrays["means"], arrays["variances"], arrays["first"])
    return AcousticModel(topology, mixtures, arrays["self_loops"])
