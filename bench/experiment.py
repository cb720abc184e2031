"""The experiment: what is to be measured, read from a TOML file and checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from bench.models import pipeline_of
from bench.options import Options, Slo
from bench.variants import PipelineChoice, variants
from data.errors import InputError, did_you_mean
from data.toml_file import read_toml
from pipelines.protocol import PipelineSpec
from results.records import Scenario

EXPERIMENTS = Path(__file__).parent / "experiments"
KINDS: tuple[str, ...] = get_args(Scenario)
_OPTION_KINDS = {"int": int, "float": float, "Seconds": float}
_TABLES = ("corpus", "pipeline", "scenario")
_TRAINING = ("use", "train", "seeds", "model")
_OPTIONS = {entry.name: entry.type for entry in fields(Options) if entry.name not in ("seed", "slo")}


@dataclass(frozen=True)
class CorpusChoice:
    """One split of a corpus; `name` is a card's name, a card's path or a folder.

    `trained_on` names another corpus to train on; empty: this one.
    """

    name: str
    split: str = "test"
    conditions: tuple[str, ...] = ("clean",)
    trained_on: str = ""

    @property
    def teacher(self) -> str:
        """The corpus that recognisers of this one learn from."""
        return self.trained_on or self.name

    @property
    def label(self) -> str:
        """How the corpus goes in records: its name, or the last part of its path."""
        return Path(self.name.removesuffix(".toml")).name or self.name


@dataclass(frozen=True)
class ScenarioChoice:
    """A scenario; empty `conditions`, `pipelines` and `corpora` mean all, and so does empty `seeds`.

    `utterances` caps the items by a seeded choice; `repeat_utterances` caps them in all passes but the first.
    `setting` is the option's value, such as ``batch=32``, where the experiment lists several.
    """

    kind: Scenario
    conditions: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    seeds: Literal["", "first"] = ""
    repeats: int = 1
    utterances: int | None = None
    repeat_utterances: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    slo: Mapping[str, float] = field(default_factory=dict)
    setting: str = ""

    def measured_with(self, seed: int) -> Options:
        return Options(**{**self.options, "seed": seed, "slo": Slo(**self.slo)})


@dataclass(frozen=True)
class Experiment:
    """A checked experiment; `config` is the same as plain values, for the record."""

    name: str
    seed: int
    prices: str
    corpora: tuple[CorpusChoice, ...]
    pipelines: tuple[PipelineChoice, ...]
    scenarios: tuple[ScenarioChoice, ...]
    config: Mapping[str, Any]
    word_times: str = ""  # for corpora without: a JSON file, or the pipeline that aligns the references


def known_experiments() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in EXPERIMENTS.glob("*.toml")))


def find_experiment(name: str) -> Path:
    """The file of an experiment, by its path or the name of one that comes with asrbench."""
    if name in known_experiments():
        return EXPERIMENTS / f"{name}.toml"
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    hint = did_you_mean(name, known_experiments()) or f" (known: {', '.join(known_experiments())})"
    raise InputError(f"unknown experiment '{name}'{hint}; or give the path of a TOML file")


def read_experiment(name: str | Path) -> Experiment:
    """The experiment of that path or name. Raises `InputError` with file and line for what is wrong in it."""
    path = find_experiment(str(name))
    text, table = read_toml(path)
    return _Reader(path, text).experiment(table)


def stored_experiment(config: Mapping[str, Any], run: str) -> Experiment:
    """What a run was asked for, from the `config` of its record; its finished models may be gone by now."""
    return _Reader(Path(run), "", seek_models=False).experiment(dict(config))


@dataclass(frozen=True)
class _Reader:
    """Checks a parsed experiment against its text, so that a complaint can name the line."""

    path: Path
    text: str
    seek_models: bool = True

    def experiment(self, table: dict[str, Any]) -> Experiment:
        self._known(table, {"name", "seed", "prices", "word_times", *_TABLES})
        corpora = tuple(self._corpus(entry) for entry in self._tables(table, "corpus"))
        pipelines = self._pipelines(self._tables(table, "pipeline"))
        scenarios = tuple(
            found for entry in self._tables(table, "scenario") for found in self._scenarios(entry)
        )
        self._unique("corpus", [f"{corpus.label}/{corpus.split}" for corpus in corpora])
        self._unique("pipeline", [choice.spec.name for choice in pipelines])
        for names in [entry.corpora for entry in pipelines] + [entry.corpora for entry in scenarios]:
            self._refers("corpora", names, {corpus.name for corpus in corpora})
        called = {name for choice in pipelines for name in choice.names}
        for scenario in scenarios:
            self._refers("pipelines", scenario.pipelines, called)
            heard = {condition for corpus in corpora for condition in corpus.conditions}
            self._refers("conditions", scenario.conditions, heard)
        name, seed = self._typed(table, "name", str, self.path.stem), self._typed(table, "seed", int, 1)
        prices = self._typed(table, "prices", str, "prices-2026-11")
        config = {**table, "name": name, "seed": seed, "prices": prices}
        word_times = self._typed(table, "word_times", str, "")
        if word_times and not word_times.endswith(".json"):
            self._refers("word_times", (word_times,), called)
        return Experiment(name, seed, prices, corpora, pipelines, scenarios, config, word_times)

    def _corpus(self, entry: dict[str, Any]) -> CorpusChoice:
        self._known(entry, {"name", "split", "conditions", "trained_on"})
        return CorpusChoice(
            self._typed(entry, "name", str),
            self._typed(entry, "split", str, "test"),
            self._strings(entry, "conditions") or ("clean",),
            self._typed(entry, "trained_on", str, ""),
        )

    def _pipelines(self, entries: list[dict[str, Any]]) -> tuple[PipelineChoice, ...]:
        """The choices of all entries; one that is trained as another takes over its training and seeds."""
        known: dict[str, dict[str, Any]] = {}
        found: list[PipelineChoice] = []
        for entry in entries:
            name = self._typed(entry, "name", str)
            if not re.fullmatch(r"[\w.+-]+", name):
                self._fail("name", "a pipeline's 'name' takes letters, digits, dots and dashes alone", name)
            known[name] = whole = self._with_training(entry, known)
            found += self._pipeline(whole)
        return tuple(found)

    def _with_training(self, entry: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, Any]:
        if "train_as" not in entry:
            return entry
        model = self._typed(entry, "train_as", str)
        self._refers("train_as", (model,), set(known))
        for key in _TRAINING:
            if key in entry:
                what = f"'train_as' takes '{key}' from '{model}': leave one of them out"
                self._fail("train_as", what, model)
        return {key: known[model][key] for key in _TRAINING if key in known[model]} | entry

    def _pipeline(self, entry: dict[str, Any]) -> tuple[PipelineChoice, ...]:
        self._known(entry, {"name", "decode", "corpora", "sweep", "train_as", *_TRAINING})
        train, decode = (self._typed(entry, key, dict, {}) for key in ("train", "decode"))
        model = self._typed(entry, "model", str, "")
        use = self._use(entry, model) if model else self._typed(entry, "use", str)
        spec = PipelineSpec(entry["name"], use, train, decode, model)
        return variants(spec, self._strings(entry, "corpora"), self._seeds(entry), self._sweep(entry))

    def _use(self, entry: dict[str, Any], model: str) -> str:
        """The pipeline of an entry with a finished model, which says itself of which one it is."""
        for key in ("train", "seeds"):
            if key in entry:
                self._fail("model", f"'model' names a finished model: leave '{key}' out", model)
        use: str = self._typed(entry, "use", str, "")
        try:
            return pipeline_of(model, use) if self.seek_models else use
        except InputError as error:
            self._fail("model", str(error), model)

    def _seeds(self, entry: dict[str, Any]) -> tuple[int, ...]:
        seeds = entry.get("seeds", [])
        whole = isinstance(seeds, list) and all(type(seed) is int for seed in seeds)
        if not whole or len(set(seeds)) < len(seeds):
            self._fail("seeds", "'seeds' has to be a list of different whole numbers")
        return tuple(seeds)

    def _sweep(self, entry: dict[str, Any]) -> dict[str, list[Any]]:
        sweep: dict[str, list[Any]] = self._typed(entry, "sweep", dict, {})
        for key, values in sweep.items():
            if not isinstance(values, list) or not values:
                self._fail("sweep", f"'{key}' of a sweep has to be a list of settings to try")
        return sweep

    def _scenarios(self, entry: dict[str, Any]) -> list[ScenarioChoice]:
        """One; or one for each value of the option that is a list."""
        lists = [key for key in entry if key in _OPTIONS and isinstance(entry[key], list)]
        if not lists:
            return [self._scenario(entry)]
        key, *more = lists
        if more or not entry[key]:
            self._fail((more or lists)[0], "of a scenario's options one can be a list, with a value at least")
        single = [(value, self._scenario({**entry, key: value})) for value in entry[key]]
        return [replace(scenario, setting=f"{key}={value:g}") for value, scenario in single]

    def _scenario(self, entry: dict[str, Any]) -> ScenarioChoice:
        own = {entry.name for entry in fields(ScenarioChoice)} - {"options", "setting"}
        self._known(entry, own | set(_OPTIONS))
        kind: Any = self._typed(entry, "kind", str)
        if kind not in KINDS:
            hint = f"{did_you_mean(kind, KINDS)} (known: {', '.join(KINDS)})"
            self._fail("kind", f"unknown scenario '{kind}'{hint}", kind)
        slo = self._typed(entry, "slo", dict, {})
        self._known(slo, {entry.name for entry in fields(Slo)})
        counts = ("repeats", "utterances", "repeat_utterances")
        values: dict[str, Any] = {key: self._count(entry, key) for key in counts if key in entry}
        values |= {key: self._strings(entry, key) for key in ("conditions", "pipelines", "corpora")}
        values["seeds"] = self._typed(entry, "seeds", str, "")
        if values["seeds"] not in ("", "first"):
            what = "'seeds' of a scenario can only be \"first\"; without it, all take part"
            self._fail("seeds", what, values["seeds"])
        values["options"] = {key: self._option(entry, key) for key in _OPTIONS if key in entry}
        values["slo"] = {key: float(self._typed(slo, key, float)) for key in slo}
        return ScenarioChoice(kind, **values)

    def _option(self, entry: dict[str, Any], key: str) -> Any:
        value = self._typed(entry, key, _OPTION_KINDS[str(_OPTIONS[key]).split(" |")[0]])
        if value < 0:
            self._fail(key, f"'{key}' cannot be negative")
        return value

    def _count(self, entry: dict[str, Any], key: str) -> Any:
        if (value := self._typed(entry, key, int)) < 1:
            self._fail(key, f"'{key}' has to be at least 1")
        return value

    def _tables(self, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
        entries = table.get(key)
        if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
            self._fail(key, f"an experiment needs at least one [[{key}]]")
        return list(entries or [])

    def _typed(self, entry: Mapping[str, Any], key: str, kind: type, default: Any = None) -> Any:
        value = entry.get(key, default)
        if value is None:
            raise InputError(f"a table lacks '{key}'", self.path)
        fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
        if not fits:
            names = {str: "a string", int: "a whole number", float: "a number", dict: "a table"}
            self._fail(key, f"'{key}' has to be {names[kind]}")
        return value

    def _strings(self, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = entry.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._fail(key, f"'{key}' has to be a list of strings")
        return tuple(value)

    def _known(self, table: Mapping[str, Any], known: set[str]) -> None:
        for key in table:
            if key not in known:
                self._fail(key, f"unknown key '{key}'{did_you_mean(key, known)}")

    def _unique(self, key: str, names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                self._fail("name", f"two [[{key}]] are called '{name}'", name.split("/")[0])

    def _refers(self, key: str, names: tuple[str, ...], known: set[str]) -> None:
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                self._fail(key, f"'{key}' names '{name}', which this experiment lacks{hint}", name)

    def _fail(self, key: str, what: str, value: str = "") -> NoReturn:
        """Complains at the first line that sets `key` (to `value`) or opens a table of that name."""
        quoted = re.escape(key)
        pattern = re.compile(
            rf'^\s*(?:\[+\s*(?:\w+\.)*"?{quoted}"?\s*\]+|"?{quoted}"?\s*=.*{re.escape(value)})'
        )
        lines = self.text.split("\n")
        line = next((number for number, text in enumerate(lines, 1) if pattern.match(text)), None)
        raise InputError(what, self.path, line)
