/* assets - the pages' files, as texts of the program: the assembler takes them in */
#include "assets.h"

#define ASSET(name, file) \
	__asm__(".section .rodata\n.globl " #name "\n" #name ":\n.incbin \"src/examples/news/" file "\"" \
	    "\n.byte 0\n.previous\n")

ASSET(asset_comments, "comments.html");
ASSET(asset_news, "news.html");
ASSET(asset_script, "news.js");
ASSET(asset_style, "news.css");
