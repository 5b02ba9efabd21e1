/** The sandbox's filter on system calls, run by a second, naive interpreter of classic BPF (Linux: bpf_design_QA, filter.rst). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seccompFilter } from '../../hpc-agent/sandbox/seccomp.ts';
import { processors } from '../../hpc-agent/sandbox/syscalls.ts';

const killed = 0x80000000;
const allowed = 0x7fff0000;
const refusedWith = (errno: number) => 0x00050000 | errno;

interface Call {
  readonly number: number;
  readonly audit: number;
  readonly arguments?: readonly bigint[];
}

function judge(filter: Uint8Array, call: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.audit, true);
  (call.arguments ?? []).forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, value, true);
  });
  const program = new DataView(filter.buffer);
  let accumulator = 0;
  for (let at = 0; at * 8 < filter.length; at += 1) {
    const [code, operand] = [program.getUint16(at * 8, true), program.getUint32(at * 8 + 4, true)];
    const jump = (condition: boolean) => {
      at += program.getUint8(at * 8 + (condition ? 2 : 3));
    };
    if (code === 0x06) return operand;
    if (code === 0x20) accumulator = data.getUint32(operand, true);
    else if (code === 0x15) jump(accumulator === operand);
    else if (code === 0x35) jump(accumulator >= operand);
    else if (code === 0x45) jump((accumulator & operand) !== 0);
    else assert.fail(`instruction ${code} at ${at}`);
  }
  return assert.fail('the filter has no end');
}

for (const architecture of ['x64', 'arm64']) {
  describe(`the filter for ${architecture}`, () => {
    const filter = seccompFilter(architecture);
    const processor = processors[architecture];
    assert.ok(filter && processor);
    const { audit } = processor;

    test('each listed call is refused, and all others up to the newest but clone3 pass', () => {
      const refused = new Set(processor.refused);
      assert.equal(refused.size, processor.refused.length);
      const ordinary = [1n, 0n, 0n, 0n, 0n, 0n];
      for (let number = 0; number <= 467; number += 1) {
        const expected: number = refused.has(number) ? refusedWith(1) : number === processor.clone3 ? refusedWith(38) : allowed;
        assert.equal(judge(filter, { number, audit, arguments: ordinary }), expected, `call ${number}`);
      }
    });

    test('calls that are newer than the table do not exist', () => {
      for (const number of [468, 1000, 0x3fffffff]) assert.equal(judge(filter, { number, audit }), refusedWith(38));
    });

    test('calls of another instruction set end the process', () => {
      for (const other of [0x40000003, 0x40000028, audit ^ 1]) assert.equal(judge(filter, { number: 1, audit: other }), killed);
    });

    test('clone makes processes and threads, and no namespaces', () => {
      const clone = (flags: bigint) => judge(filter, { number: processor.clone, audit, arguments: [flags] });
      assert.deepEqual([clone(17n), clone(0x3d0f00n)], [allowed, allowed]);
      for (const flag of [0x00020000n, 0x02000000n, 0x04000000n, 0x08000000n, 0x10000000n, 0x20000000n, 0x40000000n])
        assert.equal(clone(flag | 17n), refusedWith(1));
    });

    test('sockets are local, internet or routing ones', () => {
      for (let family = 0; family < 64; family += 1) {
        const answer = judge(filter, { number: processor.socket, audit, arguments: [BigInt(family)] });
        assert.equal(answer, [1, 2, 10, 16].includes(family) ? allowed : refusedWith(97), `family ${family}`);
      }
    });

    test("nothing is put into a terminal's input", () => {
      const ioctl = (request: bigint) => judge(filter, { number: processor.ioctl, audit, arguments: [0n, request] });
      assert.deepEqual([0x5412n, 0x541cn, 0x5401n].map(ioctl), [refusedWith(1), refusedWith(1), allowed]);
      assert.equal(ioctl(0xffffffff00005412n), refusedWith(1));
    });
  });
}

test('x86_64 has a second set of numbers, which ends the process', () => {
  const filter = seccompFilter('x64');
  assert.ok(filter);
  assert.equal(judge(filter, { number: 0x40000000 | 101, audit: 0xc000003e }), killed);
});

test('a processor without a table has no filter', () => {
  assert.equal(seccompFilter('riscv64'), undefined);
});
