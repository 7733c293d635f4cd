# A client dies on host A: its slot goes on to host B at once, not after a lease.
config lease_ms=60000
at 0    A.c1 > ACQUIRE g limit=1
        A.c1 < OK 1 *
at 10   B.c1 > ACQUIRE g limit=1 wait=1m
at 20   kill -9 A.c1
by 21   B.c1 < OK 1 *
at 30   A.c2 > ACQUIRE g limit=1 wait=0
        A.c2 < ERR full limit=1 ...
