/* Preloaded by the bench: each fsync and fdatasync takes LATTICE_BENCH_FSYNC_MS longer than the disk does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int slowly(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *ms = getenv("LATTICE_BENCH_FSYNC_MS");
  long ns = (ms ? atol(ms) : 0) * 1000000L;
  struct timespec pause = {ns / 1000000000L, ns % 1000000000L};
  nanosleep(&pause, NULL);
  return real(fd);
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
