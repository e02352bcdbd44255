/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * A guest without a kernel: a multiboot image that does for the test, over the
 * first serial port, what a driver would do.  Each command is one byte
 * (operation << 4 | bytes) and an address, for writes a value; each is answered
 * with a value.  All numbers have 32 bits, little endian.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define COM1 0x3f8
#define PIC 0x20
/* The first serial port's interrupt, and its vector as the firmware has set the PIC up. */
#define COM1_IRQ 4
#define COM1_VECTOR (8 + COM1_IRQ)
enum { READ_MEMORY = 1, WRITE_MEMORY, READ_PORT, WRITE_PORT };

__attribute__((section(".multiboot"), used))
static const u32 multiboot_header[3] = { 0x1badb002, 0, -0x1badb002u };

static inline u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

/* Flat segments, since multiboot leaves none that an interrupt could load. */
static const unsigned long long segments[] = {
    0, 0x00cf9a000000ffffull, 0x00cf92000000ffffull,
};
#define CODE 0x08

struct gate {
    u16 low, selector, flags, high;
};
static struct gate gates[COM1_VECTOR + 1];

struct __attribute__((packed)) table {
    u16 limit;
    u32 base;
};

extern const char interrupt[];

/* From here on a byte on the serial port ends a hlt. */
static void enable_serial_interrupt(void)
{
    struct table gdt = { sizeof(segments) - 1, (u32)segments };
    struct table idt = { sizeof(gates) - 1, (u32)gates };
    u32 handler = (u32)interrupt;

    gates[COM1_VECTOR] = (struct gate){ handler, CODE, 0x8e00, handler >> 16 };
    __asm__ volatile("lgdt %0\n"
                     "lidt %1\n"
                     "ljmp %2, $1f\n"
                     "1:\n" : : "m"(gdt), "m"(idt), "i"(CODE) : "memory");
    outb(PIC + 1, (u8)~(1 << COM1_IRQ));
    outb(COM1 + 1, 0x01);       /* bytes that arrive */
    outb(COM1 + 4, 0x0b);       /* OUT2 lets the interrupt through */
}

/* A guest that looked all the time would take QEMU's lock from whom it waits for. */
static u8 serial_get(void)
{
    while (!(inb(COM1 + 5) & 0x01)) {
        /* Interrupts are off but for this hlt, so that none comes before it. */
        __asm__ volatile("sti; hlt; cli");
    }
    return inb(COM1);
}

static void serial_put(u8 byte)
{
    while (!(inb(COM1 + 5) & 0x20)) {
        __asm__ volatile("pause");
    }
    outb(COM1, byte);
}

static u32 get_number(void)
{
    u32 value = 0;

    for (int shift = 0; shift < 32; shift += 8) {
        value |= (u32)serial_get() << shift;
    }
    return value;
}

static void put_number(u32 value)
{
    for (int shift = 0; shift < 32; shift += 8) {
        serial_put(value >> shift);
    }
}

static u32 read_memory(u32 address, int size)
{
    switch (size) {
    case 1:
        return *(volatile u8 *)address;
    case 2:
        return *(volatile u16 *)address;
    default:
        return *(volatile u32 *)address;
    }
}

static void write_memory(u32 address, u32 value, int size)
{
    switch (size) {
    case 1:
        *(volatile u8 *)address = value;
        break;
    case 2:
        *(volatile u16 *)address = value;
        break;
    default:
        *(volatile u32 *)address = value;
        break;
    }
}

__attribute__((used)) void guest_main(void)
{
    enable_serial_interrupt();
    put_number(0x61647276);     /* "vrda": here I am */
    for (;;) {
        u8 command = serial_get();
        u32 address = get_number(), value = 0;
        int size = command & 15;

        switch (command >> 4) {
        case READ_MEMORY:
            value = read_memory(address, size);
            break;
        case WRITE_MEMORY:
            write_memory(address, get_number(), size);
            break;
        case READ_PORT:
            __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((u16)address));
            break;
        case WRITE_PORT:
            __asm__ volatile("outl %0, %1" : : "a"(get_number()), "Nd"((u16)address));
            break;
        }
        put_number(value);
    }
}

__asm__(".globl _start\n"
        "_start:\n"
        "    cli\n"
        "    mov $0x80000, %esp\n"
        "    call guest_main\n"
        "interrupt:\n"
        "    push %eax\n"
        "    mov $0x20, %al\n"      /* the end of the interrupt */
        "    out %al, $0x20\n"
        "    pop %eax\n"
        "    iret\n");
