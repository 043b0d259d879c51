/* A device with slow flushes, for one process: each write that is to be on the device when it
 * returns, and each flush, takes SLOW_FILE's milliseconds longer. The file holds one number that
 * may change at any time. Only calls through libc are seen, so it works for programs in C and Rust.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int *delay_ms;

__attribute__((constructor)) static void open_delay(void) {
    const char *path = getenv("SLOW_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) abort();
    void *map = mmap(NULL, sizeof(int), PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    delay_ms = map;
    close(file);
}

static void wait_for_device(void) {
    int ms = *delay_ms;
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
    while (ms > 0 && nanosleep(&left, &left) != 0) {}
}

static ssize_t write_at(const char *name, int file, const void *bytes, size_t size, off64_t at) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, name);
    ssize_t written = real(file, bytes, size, at);
    /* O_SYNC contains O_DSYNC. */
    if (fcntl(file, F_GETFL) & O_DSYNC) wait_for_device();
    return written;
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
    return write_at("pwrite", file, bytes, size, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    return write_at("pwrite64", file, bytes, size, at);
}

static int flush(const char *name, int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    int result = real(file);
    wait_for_device();
    return result;
}

int fsync(int file) { return flush("fsync", file); }

int fdatasync(int file) { return flush("fdatasync", file); }
