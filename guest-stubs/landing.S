# A pad: where `syscall` arrives on a vCPU that answers calls inside the guest. A page of this code, and behind it a page
# of words for the one vCPU. README.md in this folder is the register contract.
#
# One body for two privilege levels. It changes no flags, since in ring 3 nothing could bring them back: numbers are
# told apart with lea and jrcxz.
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

    .macro landing level, check, ask, post, leave, back
    .balign 16
    .globl kvm_se_landing_\level
kvm_se_landing_\level:
    mov     %rcx, words + {WORD_RETURN}(%rip)
    \check
    goto_if_number {NR_GETPID}, 1f
    goto_if_number {NR_GETTID}, 2f
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
    \post \level
    .endm

    landing ring3, check_ring3, ask_ring3, post_ring3, leave_ring3, back_ring3
    landing ring0, check_ring0, ask_ring0, post_ring0, leave_ring0, back_ring0
# Where a call arrives that is a jump (src/vm/trampoline.rs), without r11.
    landing patched, check_patched, ask_ring3, post_ring3, leave_ring3, back_ring3

    .globl kvm_se_landing_end
kvm_se_landing_end:
    .popsection
