"""Which server of this project to start: a stage, the lessons it has more or less than it should, and its processes."""

from dataclasses import dataclass

from harness.records.asked import Door, Topology


@dataclass(frozen=True, slots=True)
class Variant:
    """A stage as its command line names it. None is the stage's own default; the stage refuses what makes no sense.

    With a `door` it serves browsers, too, and its fans come by that.
    """

    stage: str
    with_lessons: tuple[str, ...] = ()
    without_lessons: tuple[str, ...] = ()
    nodes: int | None = None
    topology: Topology | None = None
    workers: int | None = None
    door: Door | None = None

    @property
    def processes(self) -> int:
        """How many processes serve fans, as far as it was said: those of one node, unless there are more."""
        return (self.nodes or 1) * (self.workers or 1)

    @property
    def name(self) -> str:
        """What people call it: `stage 2.5 without repeaters`, `stage 3, 6 independent nodes`, `stage 4, by …`."""
        parts = [f"stage {self.stage}"]
        for word, lessons in (("with", self.with_lessons), ("without", self.without_lessons)):
            if lessons:
                parts.append(f"{word} {' and '.join(lessons)}")
        named = [" ".join(parts)]
        if self.nodes is not None or self.topology is not None:
            nodes = "node" if self.nodes == 1 else "nodes"
            named.append(" ".join(str(part) for part in (self.nodes, self.topology, nodes) if part is not None))
        if self.workers is not None:
            named.append(f"{self.workers} {'worker' if self.workers == 1 else 'workers'}")
        if self.door is not None:
            named.append(f"by {self.door}")
        return ", ".join(named)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `matchstream serve` that ask for it."""
        words = ["--stage", self.stage]
        for option, lessons in (("--with", self.with_lessons), ("--without", self.without_lessons)):
            for lesson in lessons:
                words += [option, lesson]
        if self.nodes is not None:
            words += ["--nodes", str(self.nodes)]
        if self.topology is not None:
            words += ["--topology", self.topology]
        if self.workers is not None:
            words += ["--workers", str(self.workers)]
        if self.door is not None:
            words += ["--browser-port", "0"]
        return tuple(words)
