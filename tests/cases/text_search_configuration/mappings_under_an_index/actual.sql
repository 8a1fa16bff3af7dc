CREATE TEXT SEARCH CONFIGURATION product (COPY = english);
CREATE TABLE goods (name text);
CREATE INDEX goods_name ON goods USING gin (to_tsvector('product'::regconfig, name));
