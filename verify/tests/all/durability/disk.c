/* A disk that keeps only what was flushed to it, preloaded into the process under test.
 *
 * Whatever file below $DISK_DATA is flushed has its content copied to $DISK_KEPT/<inode>; when the folder is flushed, the
 * names in it are written to $DISK_KEPT/names. What a power cut would leave is built of these two by the test.
 * Files are read by the descriptor that is flushed: to close another one would let go of the process's locks. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *name, unsigned long number, void (*fill)(FILE *, int, const char *), int fd, const char *path) {
  char final[4096], part[4160];
  const char *kept = getenv("DISK_KEPT");
  if (name) snprintf(final, sizeof final, "%s/%s", kept, name);
  else snprintf(final, sizeof final, "%s/%lu", kept, number);
  snprintf(part, sizeof part, "%s.part-%p", final, (void *)&part);
  FILE *out = fopen(part, "w");
  if (!out) abort();
  fill(out, fd, path);
  if (fclose(out) != 0 || rename(part, final) != 0) abort();
}

static void content(FILE *out, int fd, const char *path) {
  (void)path;
  char some[65536];
  off_t at = 0;
  for (ssize_t got; (got = pread(fd, some, sizeof some, at)) > 0; at += got) fwrite(some, 1, got, out);
}

static void names(FILE *out, int fd, const char *path) {
  (void)fd;
  DIR *folder = opendir(path);
  if (!folder) abort();
  for (struct dirent *entry; (entry = readdir(folder));) fprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
  closedir(folder);
}

static int flush(int fd) {
  const char *data = getenv("DISK_DATA");
  char link[64], path[4096];
  struct stat is;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (!data || length < 0 || fstat(fd, &is) != 0) return 0;
  path[length] = 0;
  if (strncmp(path, data, strlen(data)) != 0) return 0;
  if (S_ISDIR(is.st_mode)) put("names", 0, names, fd, path);
  else put(NULL, is.st_ino, content, fd, path);
  return 0;
}

int fsync(int fd) { return flush(fd); }
int fdatasync(int fd) { return flush(fd); }
