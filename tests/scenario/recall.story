# Idle slots are called back for those who wait elsewhere.
config idle_ms=60000
at 0    A.c1 > ACQUIRE g limit=3
        A.c1 < OK 1 *
        A.c2 > ACQUIRE g limit=3
        A.c2 < OK 2 *
        A.c3 > ACQUIRE g limit=3
        A.c3 < OK 3 *

# these two lie idle on A, and would for a minute
at 10   A.c1 > RELEASE g 1
        A.c1 < OK
at 20   A.c3 > RELEASE g 3
        A.c3 < OK
at 30   B.c1 > ACQUIRE g limit=3 wait=1m
by 31   B.c1 < OK 1 *
at 40   B.c2 > ACQUIRE g limit=3 n=2 wait=1m
at 50   nothing for B.c2
        A.c2 > RELEASE g 2
        A.c2 < OK
by 51   B.c2 < OK 2,3 *

# and the other way round
at 60   B.c1 > RELEASE *
        B.c1 < OK holds=1 waits=0
at 70   A.c1 > ACQUIRE g limit=3 wait=1m
by 71   A.c1 < OK 1 *
