/* The parts of the page; the Makefile makes them from the files that are called so. */
#ifndef HTTP_ASSETS_H
#define HTTP_ASSETS_H

extern const char asset_page_html[];    /* the frame; what stands between two @ is filled in */
extern const char asset_row_html[];     /* one group; likewise */
extern const char asset_page_css[];
extern const char asset_page_js[];

#endif
