CREATE TYPE public.base;
CREATE FUNCTION public.base_in(cstring) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION public.base_out(public.base) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION public.base_recv(internal) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'textrecv';
CREATE FUNCTION public.base_send(public.base) RETURNS bytea
    LANGUAGE internal IMMUTABLE STRICT AS 'textsend';
CREATE TYPE public.base (
    INPUT = public.base_in, OUTPUT = public.base_out, RECEIVE = public.base_recv, SEND = public.base_send
);
CREATE FUNCTION public.plus(public.base, public.base) RETURNS public.base
    LANGUAGE internal IMMUTABLE STRICT AS 'textcat';
CREATE TYPE public.pair AS (one public.base, two public.base[]);
CREATE TABLE public.t (id integer, b public.base DEFAULT '1'::public.base);
CREATE VIEW public.v AS SELECT public.plus(b, b) AS sum FROM public.t;
