# A slot freed on host A wakes the waiter on host B by a push.
at 0    A.c1 > ACQUIRE g limit=1
        A.c1 < OK 1 *
at 10   B.c1 > ACQUIRE g limit=1 wait=1m
at 20   nothing for B.c1
        A.c1 > RELEASE g 1
        A.c1 < OK
by 21   B.c1 < OK 1 *
