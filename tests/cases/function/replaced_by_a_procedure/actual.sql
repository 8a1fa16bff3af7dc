CREATE FUNCTION public.tidy(days integer) RETURNS void LANGUAGE sql AS 'SELECT';
