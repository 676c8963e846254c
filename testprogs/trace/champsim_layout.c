// Reads a trace as ChampSim does: the structure of its inc/trace_instruction.h as the compiler lays it out, and the kinds of
// branches as inc/instruction.h tells them by registers. Prints how many there are of each.
#include <stdint.h>
#include <stdio.h>

struct input_instr {
    unsigned long long ip;
    unsigned char is_branch;
    unsigned char branch_taken;
    unsigned char destination_registers[2];
    unsigned char source_registers[4];
    unsigned long long destination_memory[2];
    unsigned long long source_memory[4];
};

enum { STACK_POINTER = 6, FLAGS = 25, INSTRUCTION_POINTER = 26 };
enum { OTHER, JUMP, INDIRECT, CONDITIONAL, CALL, INDIRECT_CALL, RETURN, NONE, KINDS };

static int has(const unsigned char *list, int len, int reg)
{
    for (int i = 0; i < len; i++)
        if (list[i] == reg)
            return 1;
    return 0;
}

static int kind(const struct input_instr *it)
{
    int writes_sp = has(it->destination_registers, 2, STACK_POINTER);
    int writes_ip = has(it->destination_registers, 2, INSTRUCTION_POINTER);
    int reads_sp = has(it->source_registers, 4, STACK_POINTER);
    int reads_flags = has(it->source_registers, 4, FLAGS);
    int reads_ip = has(it->source_registers, 4, INSTRUCTION_POINTER);
    int reads_other = 0;
    for (int i = 0; i < 4; i++) {
        int reg = it->source_registers[i];
        reads_other |= reg != 0 && reg != STACK_POINTER && reg != FLAGS && reg != INSTRUCTION_POINTER;
    }
    if (!writes_ip)
        return NONE;
    if (!reads_sp && !reads_flags && !reads_other)
        return JUMP;
    if (!reads_sp && !reads_ip && !reads_flags && reads_other)
        return INDIRECT;
    if (!reads_sp && reads_ip && !writes_sp && (reads_flags || reads_other))
        return CONDITIONAL;
    if (reads_sp && reads_ip && writes_sp && !reads_flags && !reads_other)
        return CALL;
    if (reads_sp && reads_ip && writes_sp && !reads_flags && reads_other)
        return INDIRECT_CALL;
    if (reads_sp && !reads_ip && writes_sp)
        return RETURN;
    return OTHER;
}

int main(int argc, char **argv)
{
    _Static_assert(sizeof(struct input_instr) == 64, "as ChampSim reads it");
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        return 1;
    struct input_instr it;
    long all = 0, taken = 0, reads = 0, writes = 0, unlike = 0, kinds[KINDS] = {0};
    while (fread(&it, sizeof it, 1, file) == 1) {
        int found = kind(&it);
        all++;
        kinds[found]++;
        taken += it.branch_taken;
        unlike += it.is_branch != (found != NONE);
        for (int i = 0; i < 4; i++)
            reads += it.source_memory[i] != 0;
        for (int i = 0; i < 2; i++)
            writes += it.destination_memory[i] != 0;
    }
    printf("all %ld taken %ld reads %ld writes %ld unlike %ld\n", all, taken, reads, writes, unlike);
    printf("other %ld jump %ld indirect %ld conditional %ld call %ld indirect_call %ld return %ld\n", kinds[OTHER], kinds[JUMP],
           kinds[INDIRECT], kinds[CONDITIONAL], kinds[CALL], kinds[INDIRECT_CALL], kinds[RETURN]);
    return 0;
}
