# One that wants two slots is not starved by those who want one and come after it.
at 0    A.c1 > ACQUIRE g limit=2
        A.c1 < OK 1 *
        A.c2 > ACQUIRE g limit=2
        A.c2 < OK 2 *
at 10   B.c1 > ACQUIRE g limit=2 n=2 wait=1m
at 20   A.c3 > ACQUIRE g limit=2 wait=1m
at 30   B.c2 > ACQUIRE g limit=2 wait=1m

# the first slot that is free is kept for it
at 40   A.c1 > RELEASE g 1
        A.c1 < OK
at 50   A.c1 > ACQUIRE g limit=2 wait=0
by 55   A.c1 < ERR full limit=2 ...
at 60   nothing for B.c1
        nothing for A.c3
        nothing for B.c2

at 70   A.c2 > RELEASE g 2
        A.c2 < OK
by 75   B.c1 < OK 1,2 *
at 80   B.c1 > RELEASE g 1,2
        B.c1 < OK
by 85   A.c3 < OK 1 *
by 85   B.c2 < OK 2 *
