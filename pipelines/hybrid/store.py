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
from pipelines.hybrid.fmllr import FmllrStatistics
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.gmm import Doubles, Mixtures
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.tying import Tying
from pipelines.hybrid.word_graph import Pronunciations

MODEL, FEATURES = "model.json", "features.npz"
_STAGES = "stage-*.npz"
FORMAT = 2


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


def pronunciations_of(description: Mapping[str, Any]) -> Pronunciations:
    """Those that a model knows, from what `load_json` read."""
    return {w: tuple(map(tuple, p)) for w, p in description["pronunciations"].items()}


def acoustic_file(name: str) -> str:
    """Of the model of a generation."""
    return f"acoustic-{name}.npz"


def arpa_file(lm: str) -> str:
    return f"{lm}.arpa"


def graph_file(tying: str, lm: str) -> str:
    """Of the decoding graph for the states of a generation, with a language model."""
    return f"graph-{tying}-{lm}.npz"


def save_acoustic(path: Path, model: AcousticModel) -> None:
    save_arrays(path, **_model_arrays(model))


def load_acoustic(path: Path) -> AcousticModel:
    return _model(load_arrays(path))


def network_file(name: str) -> str:
    """Of the weights of a network; its states and front end are in its `acoustic_file`."""
    return f"network-{name}.safetensors"


def save_states(path: Path, tying: Tying, self_loops: Doubles, front: FrontEnd) -> None:
    """What a network needs besides its weights."""
    save_arrays(path, **_state_arrays(tying, self_loops, front))


def load_states(path: Path) -> tuple[Tying, Doubles, FrontEnd]:
    return _states(load_arrays(path))


def save_features(path: Path, settings: FeatureSettings, normalisation: Normalisation) -> None:
    save_arrays(
        path,
        features=np.array(json.dumps(settings.to_json())),
        mean=normalisation.mean,
        offset=normalisation.offset,
        scale=normalisation.scale,
    )


def load_features(path: Path) -> tuple[FeatureSettings, Normalisation]:
    arrays = load_arrays(path)
    settings = FeatureSettings(**json.loads(str(arrays["features"])))
    return settings, Normalisation(arrays["mean"], arrays["offset"], arrays["scale"])


def stage_file(lessons: str, stage: str) -> str:
    """Of a generation trained on what is called `lessons`."""
    return _STAGES.replace("*", f"{lessons}-{stage}")


def drop_stages(folder: Path) -> None:
    """Removes what an unfinished training would go on from."""
    for path in folder.glob(_STAGES):
        path.unlink()


def save_stage(path: Path, stage: Stage, key: str) -> None:
    """`key` names what is being trained, so that another training does not go on from here."""
    aligned = [s if s is not None else np.zeros(0, np.int32) for s in stage.alignments]
    speakers = sorted(stage.transforms)
    save_arrays(
        path,
        **_model_arrays(stage.model),
        key=np.array(key),
        name=np.array(stage.name),
        log_likelihood=np.array(stage.log_likelihood),
        aligned=np.concatenate([*aligned, np.zeros(0, np.int32)]),
        frames=np.array([len(a) for a in aligned]),
        speakers=np.array(speakers),
        transforms=np.array([stage.transforms[s] for s in speakers]),
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
    transforms = {str(s): m for s, m in zip(arrays["speakers"], arrays["transforms"], strict=True)}
    return Stage(str(arrays["name"]), _model(arrays), alignments, float(arrays["log_likelihood"]), transforms)


def save_graph(path: Path, arcs: Arcs) -> None:
    save_arrays(path, **{name: getattr(arcs, name) for name in Arcs.__dataclass_fields__})


def load_graph(path: Path) -> Arcs:
    arrays = dict(load_arrays(path))
    start = int(arrays.pop("start"))
    return Arcs(**arrays, start=start)


def _model_arrays(model: AcousticModel) -> dict[str, Any]:
    mixtures = model.mixtures
    return {
        "weights": mixtures.weights,
        "means": mixtures.means,
        "variances": mixtures.variances,
        "first": mixtures.first,
        **_everyone_arrays(model.everyone),
        **_state_arrays(model.tying, model.self_loops, model.front),
    }


def _state_arrays(tying: Tying, self_loops: Doubles, front: FrontEnd) -> dict[str, Any]:
    return {
        "self_loops": self_loops,
        "projection": np.zeros((0, 0)) if front.matrix is None else front.matrix,
        "splicing": np.array([front.statics, front.context]),
        **{f"tying_{name}": array for name, array in tying.to_arrays().items()},
    }


def _states(arrays: Mapping[str, Any]) -> tuple[Tying, Doubles, FrontEnd]:
    tying = Tying.from_arrays(
        {name.removeprefix("tying_"): a for name, a in arrays.items() if name.startswith("tying_")}
    )
    statics, context = (int(n) for n in arrays["splicing"])
    matrix = arrays["projection"] if arrays["projection"].size else None
    return tying, arrays["self_loops"], FrontEnd(matrix, statics, context)


def _model(arrays: Mapping[str, Any]) -> AcousticModel:
    tying, self_loops, front = _states(arrays)
    mixtures = Mixtures(arrays["weights"], arrays["means"], arrays["variances"], arrays["first"])
    return AcousticModel(tying, mixtures, self_loops, front, _everyone(arrays))


def _everyone_arrays(everyone: FmllrStatistics | None) -> dict[str, Any]:
    if everyone is None:
        return {}
    return {"everyone": np.array(everyone.occupancy), "everyone_k": everyone.k, "everyone_g": everyone.g}


def _everyone(arrays: Mapping[str, Any]) -> FmllrStatistics | None:
    if "everyone" not in arrays:
        return None
    return FmllrStatistics(float(arrays["everyone"]), arrays["everyone_k"], arrays["everyone_g"])
