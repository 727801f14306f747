// SPDX-License-Identifier: Apache-2.0
// ncursesw for Swift: the wide-character interface, and functions for what curses defines as macros.
#ifndef ROUTERD_CNCURSES_SHIM_H
#define ROUTERD_CNCURSES_SHIM_H
#define _XOPEN_SOURCE_EXTENDED 1
#define NCURSES_WIDECHAR 1
#include <locale.h>
#include <stdio.h>
#include <ncursesw/curses.h>

// From <term.h>, whose macros are common English words.
extern char *tigetstr(const char *);

// Unlike initscr, returns NULL where the terminal is unknown, and does not end the program.
static inline SCREEN *routerd_newterm(void) { return newterm(NULL, stdout, stdin); }
static inline WINDOW *routerd_stdscr(void) { return stdscr; }
static inline attr_t routerd_attributes(int bold, int dim, int reverse, int underline) {
    return (bold ? A_BOLD : 0) | (dim ? A_DIM : 0) | (reverse ? A_REVERSE : 0) | (underline ? A_UNDERLINE : 0);
}
#endif
