// No C library, and no instruction that gdb's `record full` does not know: loops, calls by a pointer, a string
// instruction, system calls.
static long call(long nr, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static volatile int counter;
static char from[32] = "abcdefghijklmnopqrstuvwxyz", to[32];

__attribute__((noinline)) static int leaf(int x) {
    counter += x;
    return counter * 3;
}

__attribute__((noinline)) static int repeat(int (*function)(int), int times) {
    int sum = 0;
    for (int i = 0; i < times; i++)
        sum += function(i);
    return sum;
}

__attribute__((noinline)) static void copy(void) {
    void *to_at = to, *from_at = from;
    long len = 12;
    __asm__ volatile("rep movsb" : "+D"(to_at), "+S"(from_at), "+c"(len)::"memory");
}

void begin(void) {
    for (int i = 0; i < 6; i++) {
        repeat(leaf, i);
        call(1, 1, (long)"hi\n", 3);
        copy();
        call(24, 0, 0, 0);
    }
    call(231, 5, 0, 0);
}

__asm__(".globl _start\n_start: call begin\n");
