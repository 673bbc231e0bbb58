"""Many workers in one process, for measuring what serves them: ``python -m benchmarks.crowd ADDRESS NAME COUNT``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

import dask
from distributed import Worker

# What every worker does for itself, whether or not there is work, would be done many times over by the same few cores.
ALONE = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "10s",
}


async def main(address: str, name: str, count: int) -> None:
    """Run workers of one thread each until their scheduler ends them."""
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(
                Worker(
                    address,
                    nthreads=2,
                    name=f"{name}-{i}",
                    resources={"GPU": 1},
                    memory_limit=2**30,
                    dashboard=False,
                )
            )
            for i in range(count)
        ]
        await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    dask.config.set(ALONE)
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
