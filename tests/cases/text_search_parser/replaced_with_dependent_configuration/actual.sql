CREATE TEXT SEARCH PARSER words (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH CONFIGURATION product (PARSER = words);
ALTER TEXT SEARCH CONFIGURATION product ADD MAPPING FOR word WITH simple;
