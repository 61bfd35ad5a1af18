/*
 * The board: Arm's MPS2 with a Cortex-M3 (AN385) or a Cortex-M4 (AN386), which QEMU emulates. All
 * that a board takes is here: the vector table, what runs before main, and the five things that a
 * loop needs of it:
 *
 *   clock     SysTick counts milliseconds;
 *   wait      WFI, until the UART is ready, somebody has called wake, or time is up;
 *   source    the UART, by its state register, with its interrupts to end the wait;
 *   wake      a flag: an interrupt ends WFI by itself;
 *   interrupt one of its own, which SysTick triggers, and whose handler posts and raises.
 *
 * With INTERRUPT_STACK, its size in bytes, handlers of interrupts run on a stack of their own. A
 * program with fibers wants that: otherwise they run on the stack of the fiber that they interrupt.
 */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define CLOCK_HZ 25000000u

#define CPACR REGISTER(0xe000ed88)
#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define NVIC_ISER REGISTER(0xe000e100)
#define NVIC_ISPR REGISTER(0xe000e200)

#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004)
#define UART_TX_FULL 0x1u
#define UART_RX_FULL 0x2u
#define UART_CTRL REGISTER(0x40004008)
#define UART_TX_ENABLE 0x1u
#define UART_RX_ENABLE 0x2u
#define UART_TX_INTERRUPT 0x4u
#define UART_RX_INTERRUPT 0x8u
#define UART_INTCLEAR REGISTER(0x4000400c)
#define UART_BAUDDIV REGISTER(0x40004010)

/* Numbers of interrupts. The board has a timer at the last, which stays off. */
#define UART_RX 0
#define UART_TX 1
#define ALARM 8

static volatile uint64_t milliseconds;
static volatile uint32_t is_woken;
static uint32_t uart_interest;
static volatile uint32_t alarm_ticks;
static void (*alarm_handler)(void);

/* ---- the host ---- */

static uint64_t host_now(void *user)
{
    uint64_t now;

    (void)user;
    /* Two words, and SysTick may come between them. */
    do
        now = milliseconds;
    while (now != milliseconds);
    return now * 1000000;
}

static uint32_t uart_ready(void)
{
    uint32_t state = UART_STATE;

    return (state & UART_RX_FULL ? PIRN_READ : 0u) | (state & UART_TX_FULL ? 0u : PIRN_WRITE);
}

static int host_wait(uint64_t timeout_ns, struct pirn_ready *ready, size_t capacity, void *user)
{
    uint64_t begin = host_now(user);
    uint32_t found;

    /*
     * Interrupts are masked from the last look to WFI, which a masked interrupt ends all the same:
     * none can come between the two and be slept through. It is served when the mask is lifted.
     */
    for (;;) {
        __asm__ volatile("cpsid i" ::: "memory");
        found = uart_ready() & uart_interest;
        if (found != 0 || is_woken || host_now(user) - begin >= timeout_ns)
            break;
        __asm__ volatile("wfi\n\tcpsie i\n\tisb" ::: "memory");
    }
    is_woken = 0;
    __asm__ volatile("cpsie i" ::: "memory");
    if (found == 0 || capacity == 0)
        return 0;
    ready->fd = UART;
    ready->ready = found;
    return 1;
}

static int host_watch(int fd, uint32_t interest, void *user)
{
    (void)user;
    if (fd != UART)
        return -9;                      /* EBADF */
    uart_interest = interest & (PIRN_READ | PIRN_WRITE);
    UART_CTRL = UART_TX_ENABLE | UART_RX_ENABLE |
                (interest & PIRN_READ ? UART_RX_INTERRUPT : 0u) |
                (interest & PIRN_WRITE ? UART_TX_INTERRUPT : 0u);
    return 0;
}

static void host_wake(void *user)
{
    (void)user;
    is_woken = 1;
}

const struct pirn_host board_host = {
    sizeof board_host, 0, NULL, host_now, host_wait, host_watch, host_wake
};

int board_get(void)
{
    return UART_STATE & UART_RX_FULL ? (int)(UART_DATA & 0xff) : -1;
}

int board_put(char byte)
{
    if (UART_STATE & UART_TX_FULL)
        return -1;
    UART_DATA = (uint8_t)byte;
    return 0;
}

void board_alarm(uint32_t milliseconds, void (*handler)(void))
{
    alarm_handler = handler;
    alarm_ticks = milliseconds;
}

/* ---- interrupts ---- */

static void on_systick(void)
{
    milliseconds++;
    if (alarm_ticks != 0 && --alarm_ticks == 0)
        NVIC_ISPR = 1u << ALARM;
}

static void on_uart_interrupt(void)
{
    UART_INTCLEAR = 0xf;                /* the wait looks at the state itself */
}

static void on_alarm(void)
{
    alarm_handler();
}

/* ---- start and end ---- */

/*
 * Handlers always run on the main stack. The program does so too until it selects the process
 * stack. It does that before its first function, and never changes it again.
 */
#ifdef INTERRUPT_STACK
static uint64_t interrupt_stack[INTERRUPT_STACK / 8];
#define MAIN_STACK (&interrupt_stack[INTERRUPT_STACK / 8])
#define SELECT_STACK "msr psp, r1\n\tmovs r3, #2\n\tmsr control, r3\n\tisb\n"
#else
#define MAIN_STACK stack_top
#define SELECT_STACK
#endif

extern uint32_t data_begin[], data_end[], data_image[], bss_begin[], bss_end[], stack_top[];
extern char library_begin[], library_end[];

#define PAINT 0xa5a5a5a5u

/* Ends the emulation, with a status, by the debugger's interface. Without a debugger it stops. */
static void __attribute__((noreturn)) leave(int status)
{
    uint32_t block[2] = { 0x20026, (uint32_t)status };      /* ADP_Stopped_ApplicationExit */
    register uint32_t r0 __asm__("r0") = 0x20;              /* SYS_EXIT_EXTENDED */
    register uint32_t *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1) : "memory");
    for (;;)
        ;
}

static void on_fault(void)
{
    put_text("fault\n");
    leave(2);
}

/* Prints what the program has used, below its trace. */
static void report(void)
{
    const uint32_t *word = bss_end;
    uint32_t flash = (uint32_t)data_image + (uint32_t)((char *)data_end - (char *)data_begin);
    uint32_t variables = (uint32_t)((char *)bss_end - (char *)data_begin) - program_block_size;
    uint32_t stack;

    while (*word == PAINT)
        word++;
    stack = (uint32_t)((char *)stack_top - (char *)word);
    put_text("flash ");
    put_number(flash);
    put_text(" library ");
    put_number((uint32_t)(library_end - library_begin));
    put_text(" block ");
    put_number(program_block_size);
    put_text(" variables ");
    put_number(variables);
    put_text(" stack ");
    put_number(stack);
#ifdef INTERRUPT_STACK
    word = (const uint32_t *)interrupt_stack;
    while (*word == 0)
        word++;
    put_text(" interrupts ");
    put_number((uint32_t)((const char *)MAIN_STACK - (const char *)word));
#endif
    put_text("\n");
}

/*
 * Runs first. The stack is painted, so that its use can be measured; the compiler must not make a
 * call of these loops, nor keep anything on the stack that it paints.
 */
static void __attribute__((noreturn, used)) start(void)
{
    int status;

#ifdef __ARM_FP
    CPACR |= 0xfu << 20;                /* there are floating-point registers, for all */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    for (uint32_t *to = data_begin, *from = data_image; to < data_end;)
        *(volatile uint32_t *)to++ = *from++;
    for (uint32_t *to = bss_begin; to < bss_end;)
        *(volatile uint32_t *)to++ = 0;

    UART_BAUDDIV = 16;
    UART_CTRL = UART_TX_ENABLE | UART_RX_ENABLE;
    NVIC_ISER = 1u << UART_RX | 1u << UART_TX | 1u << ALARM;
    SYST_RVR = CLOCK_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 0x7;                     /* the processor's clock, with the interrupt */

    status = program();
    report();
    leave(status);
}

void __attribute__((naked, noreturn)) reset(void)
{
    __asm__ volatile(
        "ldr r0, =bss_end\n\t"
        "ldr r1, =stack_top\n\t"
        "ldr r2, =0xa5a5a5a5\n\t"
        SELECT_STACK
        "1:\n\t"
        "str r2, [r0], #4\n\t"
        "cmp r0, r1\n\t"
        "blo 1b\n\t"
        "b start\n\t"
        ".ltorg");
}

typedef void (*handler)(void);

static const struct {
    const void *stack;
    handler exceptions[15], interrupts[ALARM + 1];
} vectors __attribute__((section(".vectors"), used)) = {
    MAIN_STACK,
    { reset, on_fault, on_fault, on_fault, on_fault, on_fault, 0, 0, 0, 0, on_fault, on_fault, 0,
      on_fault, on_systick },
    { [UART_RX] = on_uart_interrupt, [UART_TX] = on_uart_interrupt, [ALARM] = on_alarm }
};
