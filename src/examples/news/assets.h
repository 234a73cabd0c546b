/* assets - the pages' files, as texts of the program */
#ifndef ASSETS_H
#define ASSETS_H

extern const char asset_comments[], asset_news[], asset_script[], asset_style[];
#endif
