# Now or never is not never as long as a slot lies idle on another host.
config idle_ms=60000
at 0    A.c1 > ACQUIRE g limit=1
        A.c1 < OK 1 *
at 10   A.c1 > RELEASE g 1
        A.c1 < OK
at 20   B.c1 > ACQUIRE g limit=1 wait=0
by 25   B.c1 < OK 1 *

# it is held now, on B
at 30   A.c1 > ACQUIRE g limit=1 wait=0
by 600  A.c1 < ERR full limit=1 ...
