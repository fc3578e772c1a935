"""Tries a run file out: builds everything and takes one batch through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from jointtask.api.component import SamplerComponent
from jointtask.api.progress import Progress
from jointtask.em.assembly import Assembly
from jointtask.registry.attribution import attributed
from jointtask.runfile.schema import RunFile
from jointtask.running.assemble import assemble
from jointtask.running.collapse import constant_outputs, unweighted_tasks
from jointtask.running.device import device_name
from jointtask.running.expected import expected, few_steps
from jointtask.running.weights import start_from

if TYPE_CHECKING:
    from jointtask.registry.registry import Registry

__all__ = ["check", "unread_settings"]


def check(
    runfile: RunFile,
    registry: Registry,
    progress: Progress,
    inspect: Callable[[Assembly], None] = lambda assembly: None,
) -> Sequence[str]:
    """Build what a run file names, take one batch through every step, and leave nothing behind but caches.

    Parameters
    ----------
    runfile, registry : RunFile, Registry
        The run file, and the components that it can name.
    progress : Progress
        Receiver of phases and messages.
    inspect : callable, optional
        A look at what was built, before anything is timed; what it raises comes through.

    Returns
    -------
    sequence of str
        Lines for the user: data, networks, time and memory to expect, settings that nothing reads.

    Raises
    ------
    UserError
        If the run file, the data or a component cannot be used, as a run would raise it.
    """
    with attributed(registry):
        assembly = assemble(runfile, registry, progress)
        start_from(assembly.pair, runfile.run.start, registry)
        inspect(assembly)
        unread = (f"not read: {line}" for line in unread_settings(runfile, registry))
        unweighted = (f"warning: {line}" for line in unweighted_tasks(runfile))
        constant = (f"warning: {line}" for line in constant_outputs(assembly))
        return [*_sizes(assembly), *expected(assembly), *unread, *unweighted, *constant, *few_steps(assembly)]


def _sizes(assembly: Assembly) -> Iterator[str]:
    yield f"device: {device_name(assembly.context.device)}"
    for name, data in assembly.data.items():
        yield f"{name}: {len(data)} examples"
        yield from (f"  {note}" for note in data.notes)
    for role, module in assembly.pair.modules.items():
        parameters = list(module.parameters())
        total = sum(parameter.numel() for parameter in parameters)
        yield f"{role}: {total:,} parameters, {total * 4 / 2**20:.1f} MiB as float32"


def unread_settings(runfile: RunFile, registry: Registry) -> list[str]:
    """Return the settings that have a value of their own and that nothing reads, one line each."""
    lines = []
    sampler = registry.find("sampler", runfile.sampler.name)
    assert isinstance(sampler, SamplerComponent)  # the registry refuses any other record of this kind
    for position, table in enumerate(runfile.proposal):
        if sampler.proposal != "all" and table.name not in sampler.proposal:
            lines.append(f"proposal.{position} ('{table.name}'): the sampler '{sampler.name}' does not use it")
    if runfile.evaluate.each_round and runfile.data.validation is None:
        lines.append("evaluate.each_round: there is no [data.validation]")
    return lines
