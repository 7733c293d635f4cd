# Callers of limit 3 leave two slots of five to those of limit 5, on every host.
at 0    A.c1 > ACQUIRE g limit=3 n=3
        A.c1 < OK 1,2,3 *
at 10   B.c1 > ACQUIRE g limit=3 wait=0
        B.c1 < ERR full limit=3 ...
at 20   B.c2 > ACQUIRE g limit=3 wait=1m
at 30   A.c2 > ACQUIRE g limit=5 wait=1m
        A.c2 < OK 4 *
at 40   B.c3 > ACQUIRE g limit=5
        B.c3 < OK 5 *
at 50   A.c3 > ACQUIRE g limit=5 wait=0
        A.c3 < ERR full limit=5 ...

# four and then three are in use: still none for limit 3
at 60   A.c2 > RELEASE g 4
        A.c2 < OK
at 70   B.c3 > RELEASE g 5
        B.c3 < OK
at 80   nothing for B.c2
        A.c1 > RELEASE g 2
        A.c1 < OK
by 85   B.c2 < OK 2 *
