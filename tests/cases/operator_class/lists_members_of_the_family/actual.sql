CREATE OPERATOR CLASS public.arrays FOR TYPE integer[] USING gin AS
    OPERATOR 1 && (anyarray, anyarray),
    FUNCTION 1 (integer[], integer[]) btint4cmp(integer, integer),
    FUNCTION 2 (integer[], integer[]) ginarrayextract(anyarray, internal, internal),
    FUNCTION 3 (integer[], integer[])
        ginqueryarrayextract(anyarray, internal, smallint, internal, internal, internal, internal),
    FUNCTION 4 (integer[], integer[])
        ginarrayconsistent(internal, smallint, anyarray, integer, internal, internal, internal, internal),
    STORAGE integer;
CREATE OPERATOR CLASS public.points FOR TYPE point USING gist AS
    OPERATOR 11 |>> (point, point),
    FUNCTION 1 gist_point_consistent(internal, point, smallint, oid, internal),
    FUNCTION 2 gist_box_union(internal, internal),
    FUNCTION 3 gist_point_compress(internal),
    FUNCTION 5 gist_box_penalty(internal, internal, internal),
    FUNCTION 6 gist_box_picksplit(internal, internal),
    FUNCTION 7 gist_box_same(box, box, internal),
    STORAGE box;
