use strict; use warnings; use IO::Socket::UNIX;
my $slotd = IO::Socket::UNIX->new($ENV{SLOTD_SOCKET} // "/run/slotd/slotd.sock") or die "slotd: $!";
print $slotd "ACQUIRE example limit=3 wait=10s\n";
my ($ok, $slot, $token) = split " ", <$slotd>;
$ok eq "OK" or die "no slot: $slot $token\n";
print "working in slot $slot\n";
print $slotd "RELEASE example $slot token=$token\n";
<$slotd>;
