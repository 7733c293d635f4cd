# A daemon dies: its slots come back when its lease has ended, and not before.
config lease_ms=2000
at 0    A.c1 > ACQUIRE g limit=2 n=2
        A.c1 < OK 1,2 *
at 10   B.c1 > ACQUIRE g limit=2 n=2 wait=1m
at 20   kill A

# it renews at each quarter of the lease
at 1020 nothing for B.c1
by 2100 B.c1 < OK 1,2 *
