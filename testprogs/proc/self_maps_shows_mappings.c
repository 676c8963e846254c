// /proc/self/maps shows what this program mapped: places, rights, files and names.
#include "self.h"

#include <sys/auxv.h>

static const char constant[] = "read-only";
static int variable = 1;

int main(void) {
    struct mapping m;
    CHECK(find_mapping((void *)main, &m) && strcmp(m.rights, "r-xp") == 0);
    char exe[512] = "";
    CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    CHECK_STR(m.name, exe);
    struct stat st;
    CHECK_OK(stat("/proc/self/exe", &st));
    CHECK(m.inode == st.st_ino);
    CHECK(find_mapping(constant, &m) && strcmp(m.rights, "r--p") == 0);
    CHECK(find_mapping(&variable, &m) && strcmp(m.rights, "rw-p") == 0);
    CHECK(find_mapping(&m, &m) && strcmp(m.rights, "rw-p") == 0);
    CHECK_STR(m.name, "[stack]");
    char *heap = sbrk(8192);
    CHECK(find_mapping(heap, &m) && strcmp(m.rights, "rw-p") == 0);
    CHECK_STR(m.name, "[heap]");
    const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
    CHECK(!vdso || (find_mapping(vdso, &m) && strcmp(m.name, "[vdso]") == 0 && m.rights[2] == 'x'));
    CHECK(!find_mapping(NULL, &m));
    CHECK(!find_mapping((void *)0x7ffffffff000, &m));

    char *anon = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_OK(mprotect(anon, 4096, PROT_NONE));
    CHECK_OK(mprotect(anon + 4 * 4096, 4096, PROT_READ | PROT_EXEC));
    CHECK(find_mapping(anon, &m) && m.end == (unsigned long)anon + 4096 && strcmp(m.rights, "---p") == 0);
    CHECK(find_mapping(anon + 4096, &m) && m.start == (unsigned long)anon + 4096 && m.end - m.start == 3 * 4096);
    CHECK(strcmp(m.rights, "rw-p") == 0 && m.offset == 0 && m.inode == 0 && m.major == 0 && m.minor == 0);
    CHECK_STR(m.name, "");
    CHECK(find_mapping(anon + 4 * 4096, &m) && strcmp(m.rights, "r-xp") == 0);
    CHECK_OK(munmap(anon + 2 * 4096, 4096));
    CHECK(!find_mapping(anon + 2 * 4096, &m) && find_mapping(anon + 3 * 4096, &m));

    int fd = open("some file", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK_OK(ftruncate(fd, 4 * 4096));
    CHECK_OK(fstat(fd, &st));
    char *file = mmap(NULL, 2 * 4096, PROT_READ, MAP_SHARED, fd, 4096);
    CHECK(find_mapping(file, &m) && strcmp(m.rights, "r--s") == 0 && m.offset == 4096 && m.inode == st.st_ino);
    CHECK(m.end - m.start == 2 * 4096);
    char *name = strrchr(m.name, '/');
    CHECK_STR(name ? name : "", "/some file");
    CHECK_OK(munmap(file, 4096));
    CHECK(find_mapping(file + 4096, &m) && m.offset == 2 * 4096);
    CHECK_OK(rename("some file", "other file"));
    CHECK(find_mapping(file + 4096, &m) && strstr(m.name, "/other file") != NULL);
    CHECK_OK(unlink("other file"));
    CHECK(find_mapping(file + 4096, &m) && strstr(m.name, "/other file (deleted)") != NULL);

    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(find_mapping(shared, &m) && strcmp(m.rights, "rw-s") == 0);
    CHECK_STR(m.name, "/dev/zero (deleted)");
    int memfd = memfd_create("a name", MFD_CLOEXEC);
    CHECK_OK(ftruncate(memfd, 8192));
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0);
    CHECK(find_mapping(memory, &m) && strcmp(m.rights, "rw-p") == 0);
    CHECK_STR(m.name, "/memfd:a name (deleted)");
    char *moved = mremap(memory, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, anon + 16 * 4096);
    CHECK(moved == anon + 16 * 4096 && !find_mapping(memory, &m) && find_mapping(moved, &m));
    char *reserved = mmap(NULL, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(find_mapping(reserved, &m) && find_mapping(reserved + (1UL << 40) - 1, &m));
    CHECK(strcmp(m.rights, "---p") == 0 && m.end - m.start >= 1UL << 40);
    return CHECK_DONE();
}
