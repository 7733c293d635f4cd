const slotd = require("net").connect(process.env.SLOTD_SOCKET || "/run/slotd/slotd.sock");
const lines = require("readline").createInterface({ input: slotd })[Symbol.asyncIterator]();
const ask = async (line) => (slotd.write(line + "\n"), (await lines.next()).value.split(" "));
(async () => {
    const [ok, slot, token] = await ask("ACQUIRE example limit=3 wait=10s");
    if (ok !== "OK") throw new Error(`no slot: ${slot} ${token}`);
    console.log("working in slot", slot);
    await ask(`RELEASE example ${slot} token=${token}`);
})().finally(() => slotd.end());
