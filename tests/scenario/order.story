# A slot is handed over in the order of asking, whoever holds it and wherever the next one is.
config hosts=3
at 0    A.c1 > ACQUIRE g limit=1
        A.c1 < OK 1 *
at 10   B.c1 > ACQUIRE g limit=1 wait=1m
at 20   A.c2 > ACQUIRE g limit=1 wait=1m
at 30   C.c1 > ACQUIRE g limit=1 wait=1m
at 40   A.c3 > ACQUIRE g limit=1 wait=1m
at 50   B.c2 > ACQUIRE g limit=1 wait=1m

# on A somebody waits as well, but B was first
at 60   A.c1 > RELEASE g 1
        A.c1 < OK
by 65   B.c1 < OK 1 *
at 70   B.c1 > RELEASE g 1
        B.c1 < OK
by 75   A.c2 < OK 1 *
at 80   A.c2 > RELEASE g 1
        A.c2 < OK
by 85   C.c1 < OK 1 *

# one that held it before stands at the end
at 90   A.c1 > ACQUIRE g limit=1 wait=1m
at 100  C.c1 > RELEASE g 1
        C.c1 < OK
by 105  A.c3 < OK 1 *
at 110  A.c3 > RELEASE g 1
        A.c3 < OK
by 115  B.c2 < OK 1 *
at 120  nothing for A.c1
        B.c2 > RELEASE g 1
        B.c2 < OK
by 125  A.c1 < OK 1 *
