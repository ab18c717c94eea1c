#define _GNU_SOURCE
#include "functions.h"

#if defined(__linux__) && defined(__LP64__)
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// ONNX Runtime maps data files, tensor by tensor, and has no option to read them. What it does not repack stays mapped
// as long as the session lives: whoever overwrites the file then changes results, and whoever cuts it short ends the
// process by SIGBUS. So the calls of `mmap` and `munmap` in its library, and in no other, go to the functions below,
// which give it private copies. It gives them back one by one as it repacks them. (Memory that is handed to it by
// `AddExternalInitializers` would be as safe, but is not given back: a model would take twice the memory.)

/// A piece of a file in memory. Sessions that ask for the same piece of the same version of a file share it.
typedef struct copy {
  struct copy *next;
  void *address;
  size_t length;
  struct stat file;
  off_t offset;
  size_t users;
} copy;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static copy *copies;

static bool is_same_version(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void *shared_copy(const struct stat *file, off_t offset, size_t length) {
  void *address = NULL;
  pthread_mutex_lock(&lock);
  for (copy *known = copies; known && !address; known = known->next)
    if (known->offset == offset && known->length == length && is_same_version(&known->file, file)) {
      ++known->users;
      address = known->address;
    }
  pthread_mutex_unlock(&lock);
  return address;
}

/// Fills memory from a file, which must reach so far.
static bool fill(char *memory, size_t length, int descriptor, off_t offset) {
  size_t filled = 0;
  while (filled < length) {
    const ssize_t count = pread(descriptor, memory + filled, length - filled, offset + (off_t)filled);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;
    if (count <= 0) return false;
    filled += (size_t)count;
  }
  return true;
}

static void *read_instead_of_map(
    void *wanted, size_t length, int protection, int flags, int descriptor, off_t offset) {
  struct stat file;
  const bool is_data = descriptor >= 0 && !wanted && !(protection & PROT_EXEC) && (flags & MAP_PRIVATE) &&
                       !(flags & MAP_ANONYMOUS) && fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode);
  if (!is_data) return mmap(wanted, length, protection, flags, descriptor, offset);
  void *address = shared_copy(&file, offset, length);
  if (address) return address;
  copy *new = calloc(1, sizeof(copy));
  address = new ? mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
  if (address == MAP_FAILED) {
    free(new);
    errno = ENOMEM;
    return MAP_FAILED;
  }
  // Several sessions may read it: one that wrote to it would be found at once.
  if (!fill(address, length, descriptor, offset) || mprotect(address, length, PROT_READ) != 0) {
    const int reason = errno;
    munmap(address, length);
    free(new);
    errno = reason;
    return MAP_FAILED;
  }
  pthread_mutex_lock(&lock);
  *new = (copy){copies, address, length, file, offset, 1};
  copies = new;
  pthread_mutex_unlock(&lock);
  return address;
}

static int release_instead_of_unmap(void *address, size_t length) {
  copy *released = NULL;
  pthread_mutex_lock(&lock);
  copy **place = &copies;
  while (*place && (*place)->address != address) place = &(*place)->next;
  const bool is_known = *place;
  if (is_known && --(*place)->users == 0) {
    released = *place;
    *place = released->next;
  }
  pthread_mutex_unlock(&lock);
  if (!is_known) return munmap(address, length);
  const int result = released ? munmap(released->address, released->length) : 0;
  free(released);
  return result;
}

// --- The library's table of imported functions ---

/// Where the library keeps the address of an imported function; what does not start at its base is relative to it.
static const void *absolute(const struct link_map *library, ElfW(Addr) address) {
  return (const void *)(address < library->l_addr ? library->l_addr + address : address);
}

static bool set_import(void **place, void *function) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)place & ~(page - 1);
  // Read-only after the library was bound, as a rule.
  if (mprotect((void *)start, page, PROT_READ | PROT_WRITE) != 0) return false;
  *place = function;
  return true;
}

bool cort_read_data_files(void *library_handle) {
  struct link_map *library = NULL;
  if (dlinfo(library_handle, RTLD_DI_LINKMAP, &library) != 0) return false;
  const ElfW(Sym) *symbols = NULL;
  const char *names = NULL;
  const ElfW(Rela) *tables[2] = {NULL, NULL};
  size_t sizes[2] = {0, 0};
  for (const ElfW(Dyn) *entry = library->l_ld; entry->d_tag != DT_NULL; ++entry) switch (entry->d_tag) {
    case DT_SYMTAB: symbols = absolute(library, entry->d_un.d_ptr); break;
    case DT_STRTAB: names = absolute(library, entry->d_un.d_ptr); break;
    case DT_JMPREL: tables[0] = absolute(library, entry->d_un.d_ptr); break;
    case DT_PLTRELSZ: sizes[0] = entry->d_un.d_val; break;
    case DT_RELA: tables[1] = absolute(library, entry->d_un.d_ptr); break;
    case DT_RELASZ: sizes[1] = entry->d_un.d_val; break;
    }
  if (!symbols || !names) return false;
  enum { MOST = 16 };
  void **places[2][MOST];
  size_t counts[2] = {0, 0};
  for (size_t table = 0; table < 2; ++table)
    for (size_t index = 0; tables[table] && index < sizes[table] / sizeof(ElfW(Rela)); ++index) {
      const ElfW(Rela) *relocation = tables[table] + index;
      const char *name = names + symbols[ELF64_R_SYM(relocation->r_info)].st_name;
      const int function = !strcmp(name, "mmap") || !strcmp(name, "mmap64") ? 0 : !strcmp(name, "munmap") ? 1 : -1;
      if (function < 0) continue;
      if (counts[function] == MOST) return false;
      places[function][counts[function]++] = (void **)(library->l_addr + relocation->r_offset);
    }
  // Both or none: memory that comes from one goes back by the other.
  if (!counts[0] || !counts[1]) return false;
  for (size_t index = 0; index < counts[1]; ++index)
    if (!set_import(places[1][index], (void *)release_instead_of_unmap)) return false;
  for (size_t index = 0; index < counts[0]; ++index)
    if (!set_import(places[0][index], (void *)read_instead_of_map)) return false;
  return true;
}
#else
bool cort_read_data_files(void *library_handle) { return false; }
#endif
