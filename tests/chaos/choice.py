"""What a client asks for, and for how long it works."""
import collections
import random

LEASE, MARGIN = 2.0, 0.2                # seconds
GROUPS = (1, 3, 5, 9)                   # each is named g<limit>

Turn = collections.namedtuple("Turn", "group limit n wait work pause")


def choose(generator: random.Random):
    """Short and long ones of each: most work for milliseconds, some for longer than a lease."""
    group = generator.choices(GROUPS, (1, 2, 3, 4))[0]
    limit = group if generator.random() < 0.75 else (2 * group + 2) // 3
    n = 2 if limit > 2 and generator.random() < 0.1 else 1
    wait = generator.choices(("0", f"{generator.randrange(100, 3000)}", "forever"), (1, 3, 6))[0]
    work = generator.choices((generator.uniform(0, 0.02), generator.uniform(0.05, 0.5),
                              generator.uniform(1, 4) * LEASE), (50, 38, 12))[0]
    return Turn(group, limit, n, wait, work, generator.uniform(0, 0.1))
