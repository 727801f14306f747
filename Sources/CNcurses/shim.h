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
// The mouse: masks are macros that Swift does not see. 0 where the terminal has no mouse.
static inline int routerd_enable_mouse(void) { return mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL) != 0; }
// Takes the next mouse event: 1 for a click, 4 and 5 for the wheel up and down, 0 for anything else.
static inline int routerd_mouse(int *column, int *row) {
    MEVENT event;
    if (getmouse(&event) != OK) return 0;
    *column = event.x;
    *row = event.y;
    if (event.bstate & BUTTON4_PRESSED) return 4;
    if (event.bstate & BUTTON5_PRESSED) return 5;
    return event.bstate & BUTTON1_PRESSED ? 1 : 0;
}
#endif
