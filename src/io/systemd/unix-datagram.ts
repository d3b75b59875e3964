/**
 * Sends datagrams to a Unix socket, which neither Bun nor node can do: through the C library
 * that this process has loaded already, found by its path in /proc/self/maps.
 */
import { dlopen, ptr } from "bun:ffi";
import { readFileSync } from "node:fs";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;
/** sockaddr_un.sun_path, with its closing zero. */
const PATH_BYTES = 108;
const LIBC = /\s(\/\S*\/(?:libc\.so\.6|libc-\d[\d.]*\.so|ld-musl-\w+\.so\.1))$/m;

/** The few calls that are needed. */
export interface UnixDatagrams {
  /** Sends `text`; an address that begins with @ is an abstract one. Returns whether it was sent. */
  send(address: string, text: string): boolean;
  /** Microseconds of CLOCK_MONOTONIC, as systemd counts them. */
  monotonicMicros(): bigint;
}

/** Opens the C library. @throws Error where there is none that is known. */
export function openUnixDatagrams(): UnixDatagrams {
  const path = LIBC.exec(readFileSync("/proc/self/maps", "utf8"))?.[1];
  if (path === undefined) throw new Error("this process has loaded no C library that is known");
  const { symbols: libc } = dlopen(path, {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
  return {
    send(address, text) {
      const to = socketAddress(address);
      const bytes = new TextEncoder().encode(text);
      const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (fd < 0) return false;
      const sent = libc.sendto(fd, ptr(bytes), bytes.length, MSG_NOSIGNAL, ptr(to), to.length);
      libc.close(fd);
      return Number(sent) === bytes.length;
    },
    monotonicMicros() {
      const time = new BigInt64Array(2);
      libc.clock_gettime(CLOCK_MONOTONIC, ptr(time));
      const [seconds = 0n, nanoseconds = 0n] = time;
      return seconds * 1_000_000n + nanoseconds / 1000n;
    },
  };
}

/** Returns a struct sockaddr_un of just the length that the address needs. @throws RangeError when it does not fit. */
export function socketAddress(address: string): Uint8Array {
  const isAbstract = address.startsWith("@");
  const name = new TextEncoder().encode(isAbstract ? address.slice(1) : address);
  if (name.length === 0 || name.length + 1 > PATH_BYTES) throw new RangeError(`${address} is no address of a socket`);
  const struct = new Uint8Array(2 + name.length + 1);
  // The family is a short in the byte order of the machine, which is little-endian on all that Bun runs on.
  struct[0] = AF_UNIX;
  struct.set(name, isAbstract ? 3 : 2);
  return struct;
}
