"""Many workers in one process, for measuring what serves them: ``python -m benchmarks.crowd ADDRESS NAME COUNT``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from distributed import Worker


async def main(address: str, name: str, count: int) -> None:
    """Run workers of one thread each until their scheduler ends them."""
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(
                Worker(
                    address,
                    nthreads=1,
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
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
