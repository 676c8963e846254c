// ud2 is an undefined instruction for ever: SIGILL. signal(7).
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGILL, __asm__ volatile("ud2"));
}
