#!/bin/bash
coproc nc -N -U "${SLOTD_SOCKET:-/run/slotd/slotd.sock}"
echo "ACQUIRE example limit=3 wait=10s" >&"${COPROC[1]}"
read -r ok slot token <&"${COPROC[0]}"
[ "$ok" = OK ] || { echo "no slot: $slot $token" >&2; exit 75; }
echo "working in slot $slot"
echo "RELEASE example $slot token=$token" >&"${COPROC[1]}"
read -r ok <&"${COPROC[0]}"
