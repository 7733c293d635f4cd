"""Who may ask for what: rules of groups and of the daemon, by the credentials of the connection."""
import unittest

from slotd import Daemon
from user import CONFIG, needs_root, user

RULES = CONFIG + """
admin_groups = 4001
[group open]
limit = 1
[group users]
limit = 3
allow_users = nobody, 2001
[group groups]
limit = 3
allow_groups = 3001 3002
[group both-*]
limit = 3
allow_users = 2001
allow_groups = 3001
admin_users = 2002
[group both-of-all]
limit = 3
"""
DENIED = "ERR denied rule=%s uid %d is not among the users of \\[group %s\\]"


@needs_root
class Rights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.slotd = Daemon(RULES)
        cls.addClassCleanup(cls.slotd.stop)

    def check(self, group, denied, uid, **options):
        """denied: None, or the rule and the section that do not let that user in"""
        with user(self.slotd, uid, **options) as client:
            if denied is None:
                client.expect(r"OK \d \d+", f"ACQUIRE {group} wait=0")
                client.expect(r"OK", f"RELEASE {group.split()[0]} 1")
            else:
                client.expect(DENIED % (denied[0], uid, denied[1]), f"ACQUIRE {group} wait=0")
                client.expect(DENIED % (denied[0], uid, denied[1]), f"RESUME {group} 1 65537")

    def test_open(self):
        self.check("open", None, 2009)
        self.check("unknown limit=1", None, 2009)

    def test_users(self):
        denied = ("allow_users", "users")
        self.check("users", None, 2001)
        self.check("users", None, 65534)
        self.check("users", None, 0)                    # and slotd's own user
        self.check("users", denied, 2002)
        self.check("users", denied, 2002, gid=2001, groups=[65534, 2001])

    def test_groups(self):
        denied = ("allow_groups", "groups")
        self.check("groups", None, 2009, gid=3001)
        self.check("groups", None, 2009, groups=[3, 3002, 9])
        self.check("groups", denied, 2009)
        self.check("groups", denied, 3001, gid=9)
        self.check("groups", denied, 2009, groups=range(1000))
        self.check("groups", None, 2009, groups=range(3001, 4000))

    def test_glob(self):
        denied = ("allow_users,allow_groups", "both-\\*")
        self.check("both-1", None, 2001)
        self.check("both-1", None, 2009, groups=[3001])
        self.check("both-1", denied, 2002)              # who may change it, no more
        self.check("both-1", denied, 2009, groups=[4001])
        self.check("both-of-all", None, 2009)           # nothing is inherited


    def test_admins(self):
        """Of a group, and of all that this slotd does."""
        evict = "EVICT both-2 1"
        with user(self.slotd, 2001) as holder, user(self.slotd, 2002) as of_group, \
                user(self.slotd, 2009, groups=[4001]) as of_all, user(self.slotd, 2009) as nobody:
            nobody.expect(r"ERR denied rule=admin uid 2009 is not among the admins of \[group both-\*\]", evict)
            holder.expect(r"ERR denied rule=admin .*", evict)
            for admin in (of_group, of_all):
                slot = holder.expect(r"OK (\d) \d+", "ACQUIRE both-2 wait=1m")[1]
                admin.expect("OK evicted=1", f"EVICT both-2 {slot}")
            of_group.expect("ERR denied rule=admin .*", "EVICT users 1")
            nobody.expect(r"ERR denied rule=admin .*", "LIVE both-2 limit=1")
            holder.expect(r"ERR denied rule=admin .*", "LIVE both-2 pause=on")
            nobody.expect("OK group=both-2 limit=- .*", "LIVE both-2")
            of_group.expect(r"OK group=both-2 limit=4 .* by=2002@\S+ uid=2002 .*", "LIVE both-2 limit=4")
            of_group.expect("ERR denied rule=admin .*", "LIVE users limit=4")
            of_all.expect(r"OK group=both-2 limit=- .*", "LIVE both-2 limit=none")
            of_all.expect("OK evicted=0", "EVICT users 1")
            for request in ("DRAIN off", "RELOAD", "AUDIT fix", "GRACE end"):
                of_group.expect("ERR denied rule=admin uid 2002 is no admin of this slotd", request)
            of_all.expect(r"OK draining=no held=\d+", "DRAIN off")
            of_all.expect("OK groups=5 .*", "RELOAD")

    def test_what_another_holds(self):
        """A token is no secret; it helps neither another user nor another connection."""
        with user(self.slotd, 2001) as a, user(self.slotd, 2001) as b, user(self.slotd, 2009) as other:
            token = a.expect(r"OK 1 (\d+)", "ACQUIRE open")[1]
            for client in (b, other):
                client.expect("ERR nothold .*", f"RELEASE open 1 token={token}")
                client.expect("OK holds=0 waits=0", "RELEASE *")
            other.expect("ERR lost .*", f"RESUME open 1 {token}")
            a.expect("OK", f"RELEASE open 1 token={token}")


@needs_root
class Bounds(unittest.TestCase):
    def test_holds(self):
        """Of all groups and connections of a user, and of what it waits for."""
        with Daemon(CONFIG + "max_holds_per_uid = 3\n") as slotd:
            with user(slotd, 2001) as a, user(slotd, 2001) as b, user(slotd, 2002) as other:
                refused = "ERR holds max=3 uid=2001 this user holds or waits for as many slots as it may"
                a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2")
                b.send("#w ACQUIRE g limit=2 wait=forever")
                b.expect("OK pong", "PING")
                for client in (a, b):
                    client.expect(refused, "ACQUIRE h limit=9")
                other.expect(r"OK 1,2,3 \d+", "ACQUIRE h limit=9 n=3")
                a.expect("OK", "RELEASE g 1")
                b.expect(r"#w OK 1 \d+")
                a.expect(r"OK 4 \d+", "ACQUIRE h limit=9")
                b.expect(refused, "ACQUIRE h limit=9")
                a.expect("OK holds=2 waits=0", "RELEASE *")
                b.expect(r"OK \d,\d \d+", "ACQUIRE h limit=9 n=2")
                b.expect(refused, "ACQUIRE h limit=9")


if __name__ == "__main__":
    unittest.main()
