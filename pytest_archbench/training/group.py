"""The processes that train one network together; one alone is a group too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Group:
    """``rank`` of ``size`` processes; the first one, 0, writes files."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Of a batch that all take together, what this process takes."""
        return batch[self.rank :: self.size]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def joined(self, model: nn.Module) -> nn.Module:
        """The network with its gradients averaged over all processes."""
        if self.size == 1:
            return model
        from torch.nn.parallel import DistributedDataParallel

        joined: nn.Module = DistributedDataParallel(model)
        return joined

    def agree(self, model: nn.Module) -> None:
        """Take over the first process's buffers, such as running means, which each process has of its own images."""
        if self.size > 1:
            from torch import distributed

            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            from torch import distributed

            distributed.barrier()
