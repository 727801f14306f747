// SPDX-License-Identifier: Apache-2.0
// ncursesw for Swift: the wide-character interface, and functions for what curses defines as macros.
#ifndef ROUTERD_CNCURSES_SHIM_H
#define ROUTERD_CNCURSES_SHIM_H
#define _XOPEN_SOURCE_EXTENDED 1
#define NCURSES_WIDECHAR 1
#include <locale.h>
#include <ncursesw/curses.h>

static inline WINDOW *routerd_stdscr(void) { return stdscr; }
static inline int routerd_lines(void) { return LINES; }
static inline int routerd_cols(void) { return COLS; }
static inline attr_t routerd_color_pair(short pair) { return COLOR_PAIR(pair); }
#endif
