CREATE TYPE public.base;
CREATE FUNCTION public.base_in(cstring) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION public.base_out(public.base) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION public.base_recv(internal) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'textrecv';
CREATE FUNCTION public.base_send(public.base) RETURNS bytea
    LANGUAGE internal IMMUTABLE STRICT AS 'textsend';
CREATE TYPE public.base (INPUT = public.base_in, OUTPUT = public.base_out, RECEIVE = public.base_recv);

CREATE FUNCTION public.plus(public.base, public.base) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'textcat';
CREATE OPERATOR public.+ (LEFTARG = public.base, RIGHTARG = public.base, FUNCTION = public.plus);
CREATE VIEW public.v AS SELECT '1'::public.base + '2'::public.base AS sum;
COMMENT ON TYPE public.base IS 'kept';
COMMENT ON FUNCTION public.base_in(cstring) IS 'kept';
