# A pad: where `syscall` arrives on a vCPU that answers calls inside the guest. A page of this code, and behind it a page
# of words for the one vCPU. README.md in this folder is the register contract.
#
# One body for two privilege levels. It changes no flags unless it keeps them on a stack of its own, since in ring 3 nothing
# else could bring them back: numbers are told apart with lea and jrcxz.
#
# WORD_*, DOORBELL, PORT_SYSCALL and NR_* come from src/vm/landing.rs.

    .pushsection .rodata.kvm_se_landing, "a", @progbits
    .balign 4096
    .globl kvm_se_landing_start
kvm_se_landing_start:
    .set    words, kvm_se_landing_start + 4096

# What differs between the levels, as macros that `landing` is told by name.
    .macro check_ring3
# With a stack pointer that is not canonical such a KVM does land in ring 0, from where jmp would not come back.
    mov     %cs, %ecx
    lea     -{USER_CS}(%rcx), %rcx
    jrcxz   7f
    jmp     10f
7:
    .endm
    .macro check_patched
    .endm
    .macro check_ring0
# sysretq traps too early with TF, and clears RF: such a call is the runner's.
    test    ${TF_OR_RF}, %r11d
    jnz     10f
    .endm
    .macro leave_ring3
# A store to a page without memory is an exit, and a cheaper one than the page fault that needs ring 0.
    movabs  %al, {DOORBELL}
    .endm
    .macro leave_ring0
    out     %al, ${PORT_SYSCALL}
    .endm
    .macro back_ring3
    jmp     *%rcx
    .endm
    .macro back_ring0
    sysretq
    .endm

# A call that is not answered here is another thread's, as long as one waits for it: WORD_PATIENCE says for how many
# turns this one then waits for its answer. Without flags to be changed, they are counted in rax.
    .macro ask_ring3
    mov     words + {WORD_PATIENCE}(%rip), %rcx
    jrcxz   10f
    jmp     14f
    .endm
    .macro post_ring3 level
14: mov     %rax, words + {WORD_NUMBER}(%rip)
    mov     %rdi, words + {WORD_ARGS}(%rip)
    mov     %rsi, words + {WORD_ARGS} + 8(%rip)
    mov     %rdx, words + {WORD_ARGS} + 16(%rip)
    mov     %r10, words + {WORD_ARGS} + 24(%rip)
    mov     %r8, words + {WORD_ARGS} + 32(%rip)
    mov     %r9, words + {WORD_ARGS} + 40(%rip)
    movq    ${POSTED}, words + {WORD_STATE}(%rip)
    .globl kvm_se_landing_\level\()_posted
kvm_se_landing_\level\()_posted:
    mov     %rcx, %rax
11: mov     words + {WORD_STATE}(%rip), %rcx
    jrcxz   12f
    lea     -{REFUSED}(%rcx), %rcx
    jrcxz   13f
    lea     -1(%rax), %rax
    mov     %rax, %rcx
    jrcxz   13f
    pause
    jmp     11b
13: mov     words + {WORD_NUMBER}(%rip), %rax
    mov     words + {WORD_RETURN}(%rip), %rcx
    leave_ring3
12: answer  {WORD_RESULT}, back_ring3
    .globl kvm_se_landing_\level\()_posted_end
kvm_se_landing_\level\()_posted_end:
    .endm

# Longer answers work on a stack at the end of the words. Wherever that is interrupted, the runner makes the call instead:
# rsp tells. Clocks are asked of the vDSO, whose functions are in the words, and which may make a call itself.
    .macro goto_if_longer_ring3
    goto_if_number {NR_CLOCK_GETTIME}, 31f
    goto_if_number {NR_GETTIMEOFDAY}, 32f
    goto_if_number {NR_TIME}, 33f
    goto_if_number {NR_RT_SIGPROCMASK}, 35f
    jmp     34f
31: jmp     15f
32: jmp     16f
33: jmp     17f
35: jmp     36f
34:
    .endm
    .macro longer_ring3
# The vDSO would ask the runner for processor time.
15: lea     -{CLOCK_PROCESS_CPUTIME_ID}(%rdi), %rcx
    jrcxz   24f
    lea     -{CLOCK_THREAD_CPUTIME_ID}(%rdi), %rcx
    jrcxz   24f
    jmp     25f
24: jmp     9b
25: begin   {WORD_CLOCK_GETTIME}
    lea     words + {WORD_TIME}(%rip), %rsi
    call    *words + {WORD_CLOCK_GETTIME}(%rip)
    mov     words + {WORD_KEPT} + 8(%rip), %rsi
    jmp     21f
# A time zone is the runner's.
16: mov     %rsi, %rcx
    jrcxz   18f
    jmp     9b
18: begin   {WORD_GETTIMEOFDAY}
    lea     words + {WORD_TIME}(%rip), %rdi
    call    *words + {WORD_GETTIMEOFDAY}(%rip)
    mov     words + {WORD_KEPT}(%rip), %rsi
21: test    %eax, %eax
    jnz     20f
    mov     words + {WORD_TIME}(%rip), %rcx
    mov     %rcx, (%rsi)
    mov     words + {WORD_TIME} + 8(%rip), %rcx
    mov     %rcx, 8(%rsi)
    xor     %eax, %eax
    jmp     23f
# Signals are blocked and let in again as long as the host need not know: what it blocks stays blocked, and what else
# comes has a handler, so that it comes to the runner, which then looks at the mask.
36: lea     -8(%r10), %rcx
    jrcxz   37f
    jmp     9b
37: begin   {WORD_ANSWERS_MASKS}
    mov     words + {WORD_MASK}(%rip), %r8
    mov     %r8, %r9
    test    %rsi, %rsi
    jz      28f
# If the call is made again, it must find what it found before.
    mov     %rsi, %rcx
    sub     %rdx, %rcx
    add     $7, %rcx
    cmp     $15, %rcx
    jb      20f
    mov     (%rsi), %rcx
    test    %edi, %edi
    jz      26f
    cmp     ${SIG_UNBLOCK}, %edi
    je      27f
    cmp     ${SIG_SETMASK}, %edi
    jne     20f
    xor     %r9d, %r9d
26: or      %rcx, %r9
    btr     ${SIGKILL} - 1, %r9
    btr     ${SIGSTOP} - 1, %r9
    jmp     29f
27: not     %rcx
    and     %rcx, %r9
29: mov     words + {WORD_BLOCKED}(%rip), %rcx
    mov     %r9, %rax
    not     %rax
    test    %rcx, %rax
    jnz     20f
    or      words + {WORD_HANDLED}(%rip), %rcx
    not     %rcx
    test    %rcx, %r9
    jnz     20f
28: test    %rdx, %rdx
    jz      30f
    mov     %r8, (%rdx)
30: mov     %r9, words + {WORD_MASK}(%rip)
    xor     %eax, %eax
    jmp     23f
17: begin   {WORD_TIME_OF_DAY}
    xor     %edi, %edi
    call    *words + {WORD_TIME_OF_DAY}(%rip)
    mov     words + {WORD_KEPT}(%rip), %rdi
    test    %rdi, %rdi
    jz      23f
    mov     %rax, (%rdi)
23: mov     words + {WORD_KEPT}(%rip), %rdi
    mov     words + {WORD_KEPT} + 8(%rip), %rsi
    mov     words + {WORD_KEPT} + 16(%rip), %rdx
    mov     words + {WORD_KEPT} + 24(%rip), %r10
    mov     words + {WORD_KEPT} + 32(%rip), %r8
    mov     words + {WORD_KEPT} + 40(%rip), %r9
    mov     words + {WORD_KEPT} + 56(%rip), %rcx
    mov     (%rsp), %r11
    popfq
    movq    $0, words + {WORD_IS_BUSY}(%rip)
    mov     words + {WORD_KEPT} + 48(%rip), %rsp
    jmp     *%rcx
20: leave_ring3
    .endm
# Not if `condition` is 0.
    .macro begin condition
    mov     words + \condition(%rip), %rcx
    jrcxz   18f
    mov     words + {WORD_IS_BUSY}(%rip), %rcx
    jrcxz   19f
18: jmp     9b
19: movq    $1, words + {WORD_IS_BUSY}(%rip)
    mov     %rax, words + {WORD_KEPT} + 64(%rip)
# The function gives these back, if it is not interrupted.
    mov     %rbx, words + {WORD_KEPT} + 72(%rip)
    mov     %rbp, words + {WORD_KEPT} + 80(%rip)
    mov     %r12, words + {WORD_KEPT} + 88(%rip)
    mov     %r13, words + {WORD_KEPT} + 96(%rip)
    mov     %r14, words + {WORD_KEPT} + 104(%rip)
    mov     %r15, words + {WORD_KEPT} + 112(%rip)
    mov     %rdi, words + {WORD_KEPT}(%rip)
    mov     %rsi, words + {WORD_KEPT} + 8(%rip)
    mov     %rdx, words + {WORD_KEPT} + 16(%rip)
    mov     %r10, words + {WORD_KEPT} + 24(%rip)
    mov     %r8, words + {WORD_KEPT} + 32(%rip)
    mov     %r9, words + {WORD_KEPT} + 40(%rip)
    mov     %rsp, words + {WORD_KEPT} + 48(%rip)
    mov     words + {WORD_RETURN}(%rip), %rcx
    mov     %rcx, words + {WORD_KEPT} + 56(%rip)
    mov     words + {WORD_MASK}(%rip), %rcx
    mov     %rcx, words + {WORD_KEPT} + 120(%rip)
    lea     words + 4096(%rip), %rsp
    pushfq
    testl   ${TF_OR_RF}, (%rsp)
    jnz     20f
    cld
    .endm

    .macro goto_if_longer_ring0
    .endm
    .macro longer_ring0
    .endm
    .macro ask_ring0
    .endm
    .macro post_ring0 level
    .endm

# The value of `word` is what the call returns. `back` goes on behind the `syscall`.
    .macro answer word, back
    mov     words + {WORD_RETURN}(%rip), %rcx
    mov     words + \word(%rip), %rax
    \back
    .endm

    .macro goto_if_number nr, label
    lea     -\nr(%rax), %rcx
    jrcxz   \label
    .endm

    .macro landing level, check, goto_if_longer, longer, ask, post, leave, back
    .balign 16
    .globl kvm_se_landing_\level
kvm_se_landing_\level:
    mov     %rcx, words + {WORD_RETURN}(%rip)
    \check
    goto_if_number {NR_GETPID}, 1f
    goto_if_number {NR_GETTID}, 2f
    \goto_if_longer
    mov     words + {WORD_IDS_MAY_DIFFER}(%rip), %rcx
    jrcxz   8f
9:  \ask
10: mov     words + {WORD_RETURN}(%rip), %rcx
    \leave
1:  answer  {WORD_PID}, \back
2:  answer  {WORD_TID}, \back
8:  goto_if_number {NR_GETUID}, 3f
    goto_if_number {NR_GETEUID}, 4f
    goto_if_number {NR_GETGID}, 5f
    goto_if_number {NR_GETEGID}, 6f
    jmp     9b
3:  answer  {WORD_UID}, \back
4:  answer  {WORD_EUID}, \back
5:  answer  {WORD_GID}, \back
6:  answer  {WORD_EGID}, \back
    \longer
    \post \level
    .endm

    landing ring3, check_ring3, goto_if_longer_ring3, longer_ring3, ask_ring3, post_ring3, leave_ring3, back_ring3
    landing ring0, check_ring0, goto_if_longer_ring0, longer_ring0, ask_ring0, post_ring0, leave_ring0, back_ring0
# Where a call arrives that is a jump (src/vm/trampoline.rs), without r11.
    landing patched, check_patched, goto_if_longer_ring3, longer_ring3, ask_ring3, post_ring3, leave_ring3, back_ring3

    .globl kvm_se_landing_end
kvm_se_landing_end:
    .popsection
