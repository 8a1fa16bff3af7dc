CREATE TABLE public.u (id bigint NOT NULL, email text NOT NULL, code text);
CREATE UNIQUE INDEX u_email ON public.u (email);
COMMENT ON INDEX public.u_email IS 'one person each';
CREATE UNIQUE INDEX u_id ON public.u (id);
CREATE UNIQUE INDEX u_code ON public.u (lower(code));
