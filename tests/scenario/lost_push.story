# A push that is lost costs time, and nobody the slot.
at 0    A.c1 > ACQUIRE g limit=1
        A.c1 < OK 1 *
at 10   B.c1 > ACQUIRE g limit=1 wait=1m
at 20   lose the next push to B
        A.c1 > RELEASE g 1
        A.c1 < OK

# the slot is B's, which does not know it before it next speaks
at 100  nothing for B.c1
by 4000 B.c1 < OK 1 *

# and then all is as ever
at 4000 A.c1 > ACQUIRE g limit=1 wait=1m
at 4010 B.c1 > RELEASE g 1
        B.c1 < OK
by 4015 A.c1 < OK 1 *
