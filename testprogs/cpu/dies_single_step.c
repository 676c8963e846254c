// The trap flag stops the program after one instruction: SIGTRAP. Intel SDM volume 3, 17.3.1.4.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGTRAP, write_flags(read_flags() | 1ul << 8));
}
